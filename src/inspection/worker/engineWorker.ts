/**
 * The engine's worker of Node and of browsers: one bundle, for all but what reads images is the same, and the package would be
 * a third larger with two. Only the part that runs is loaded: the other one's modules are never evaluated.
 */
/** A port where there is no worker; the web part's, wherever that runs. */
declare const enginePort: object | undefined;

if (typeof enginePort !== 'undefined' || 'WorkerGlobalScope' in globalThis)
  void import('../web/engineWorker');
else void import('../node/engineWorker');
