import { type ReporterConstructor } from 'mocha';

declare const LineReporter: ReporterConstructor;
export = LineReporter;
