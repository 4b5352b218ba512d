/** Windows over a given state, with the engine that a host really has. */
import * as vscode from 'vscode';
import { EngineHost } from '../../src/host/engineHost';
import { Inspections } from '../../src/host/inspections';
import { OperationFiles } from '../../src/host/operationFiles';
import { type EngineClient, type Method, type RequestOptions } from '../../src/inspection/protocol';
import { inFolder } from './support';

/** A message at which a worker dies as it would of a bug: the n-th of a method (any method), counted anew in each life. */
export interface Crash {
  readonly method?: Method;
  readonly nth: number;
}

/** A host's own engine. */
export interface EngineUnderTest {
  readonly canReadPaths: boolean;
  /** Starts the real engine in a real worker; with a crash, in one that dies at that message. */
  start(crash?: Crash): Promise<EngineClient>;
}

/** A workspace's state, kept in memory as VS Code keeps it: as JSON. */
export class State implements vscode.Memento {
  private readonly values = new Map<string, string>();

  keys(): readonly string[] {
    return [...this.values.keys()];
  }

  get<T>(key: string, otherwise?: T): T | undefined {
    const value = this.values.get(key);
    return value === undefined ? otherwise : (JSON.parse(value) as T);
  }

  update(key: string, value: unknown): Promise<void> {
    this.values.set(key, JSON.stringify(value));
    return Promise.resolve();
  }
}

export interface Window {
  readonly engine: EngineHost;
  readonly inspections: Inspections;
  /** How many engines it has started. */
  readonly starts: () => number;
}

export const log = vscode.window.createOutputChannel('IOPTE test', { log: true });

/** What activate wires for the engine, over a given state. */
export function openWindow(
  state: State,
  canReadPaths: boolean,
  start: () => Promise<EngineClient>,
  watching: RequestOptions,
): Window {
  let starts = 0;
  const engine: EngineHost = new EngineHost(
    () => {
      starts++;
      return start();
    },
    {
      openParams: (id) => inspections.openParams(id),
      watch: (_id, task) => task(watching),
      traceParams: () => Promise.reject(new Error('no trace is open')),
      traceViews: () => undefined,
      isTraceStopped: () => false,
      traceOpened: () => undefined,
      traceRows: () => 0,
      traceSpaces: () => ({ by: 'auto' }),
      traceRestored: () => undefined,
    },
    log,
  );
  const inspections: Inspections = new Inspections(
    state,
    engine,
    canReadPaths,
    new OperationFiles(inFolder('operations')),
  );
  return { engine, inspections, starts: () => starts };
}
