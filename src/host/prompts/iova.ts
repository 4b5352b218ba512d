import { parseInteger } from '../../inspection/protocol';
import type { App } from '../app';
import type { Step } from './steps';
import { askText } from './text';
import { checkIova } from './values';

/** Asks for an IOVA when there is none yet; offers the last one. */
export const iovaStep =
  <Answers extends { readonly iova: bigint | undefined }>(app: App, prompt: string): Step<Answers> =>
  async (state, place) => {
    if (state.iova !== undefined) return 'skip';
    const value = app.memory.last.iova;
    const answer = await askText({ prompt, placeholder: '0xffee0000', value, check: checkIova }, place);
    if (answer.kind !== 'value') return answer;
    return { kind: 'value', value: { ...state, iova: parseInteger(answer.value) } };
  };
