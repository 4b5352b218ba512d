import { type Method, type Params, type ResultOf } from './protocol';
import { type CallContext, type Work } from './work';

type Answer<M extends Method> = ResultOf<M> | Work<ResultOf<M>> | Promise<ResultOf<M>>;

/** What answers each of these requests: at once, in slices, or later. */
export type HandlersOf<Methods extends Method> = {
  readonly [M in Methods]: (params: Params<M>, context: CallContext) => Answer<M>;
};
