// What both extension hosts (Node and web worker) have beside `vscode`. Nothing else of Node or the DOM is used here.
declare function setTimeout(callback: () => void, milliseconds: number): unknown;
declare function clearTimeout(handle: unknown): void;
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  decode(bytes: Uint8Array): string;
}
/** Set by webpack: the scenarios of samples/, by path. */
declare const SHIPPED_SCENARIOS: readonly { readonly path: string; readonly title: string }[];
