import * as vscode from 'vscode';
import { RequestError } from '../../inspection/protocol';
import type { Command } from '../app';
import { askFilter, markProblem } from '../prompts/filter';
import { givenText, givenValues, targetInspection } from './targets';

const KEPT_FILTERS = 10;

/** Shows only what matches a filter below each domain. Takes `{inspection, where}`. */
export const setFilter: Command = {
  id: 'iopte.setFilter',
  async run(app, arg) {
    const inspection = targetInspection(app, arg);
    const given = givenText(givenValues(arg), 'where');
    const filters = app.memory.last.filters ?? [];
    const language = {
      check: (where: string) => app.engine.ask('checkFilter', { where }),
      complete: (where: string, offset: number) => app.engine.ask('completeFilter', { where, offset }),
    };
    const where = (given ?? (await askFilter(language, inspection.where, filters)))?.trim();
    if (where === undefined) return;
    const problem = (await language.check(where)).find(({ severity }) => severity === 'error');
    if (problem) {
      const marked = markProblem(where, problem);
      const message = vscode.l10n.t(
        'Filter, column {0}: {1} {2}',
        problem.start + 1,
        problem.message,
        marked,
      );
      throw new RequestError({ ...problem, message });
    }
    if (where !== '') {
      const others = filters.filter((each) => each !== where);
      await app.memory.remember({ filters: [where, ...others].slice(0, KEPT_FILTERS) });
    }
    app.inspections.makeCurrent(inspection);
    await app.inspections.setFilter(inspection, where);
  },
};

export const clearFilter: Command = {
  id: 'iopte.clearFilter',
  run: (app, arg) => app.inspections.setFilter(targetInspection(app, arg), ''),
};
