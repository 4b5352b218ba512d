/** What webpack puts in place of `import.meta.webpackContext`: all modules of a folder, by name. */
interface ImportMeta {
  webpackContext(
    folder: string,
    options: { readonly recursive: boolean; readonly regExp: RegExp },
  ): { (file: string): unknown; keys(): string[] };
}
