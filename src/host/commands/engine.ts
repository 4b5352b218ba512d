import type { Command } from '../app';

export const showLog: Command = {
  id: 'iopte.showLog',
  run: (app) => {
    app.log.show();
  },
};

/** Ends the engine; the next question starts a new one with everything that was open. */
export const restartEngine: Command = {
  id: 'iopte.restartEngine',
  run: (app) => app.engine.end(),
};
