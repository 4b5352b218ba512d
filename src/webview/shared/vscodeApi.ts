/** The part of VS Code's webview API that is used. */
export interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

/** May be called once for each page. */
export const vscodeApi = (): VsCodeApi => acquireVsCodeApi();
