import { type Failure } from '../engine/result';

/** A failed request: the failure, as an exception that reaches the caller. */
export class RequestError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  constructor(readonly failure: Failure) {
    super(failure.message);
    this.name = 'RequestError';
    this.code = failure.code;
    this.hint = failure.hint;
  }
}

/** Ends the handling of a request with a failure. */
export function refuse(code: string, message: string, hint?: string): never {
  throw new RequestError(hint === undefined ? { code, message } : { code, message, hint });
}
