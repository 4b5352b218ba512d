/** One request as a trace file has it, a JSON object a line. `sid`: `00:02.0` or an id. */
export interface DmaLine {
  readonly sid: string | number;
  readonly pasid?: number | null;
  readonly iova: string | number;
  /** Bytes; absent: one page. May run over pages: the request is split. */
  readonly length?: number;
  readonly access: 'read' | 'write' | 'atomic';
}
