import * as vscode from 'vscode';
import {
  domainTag,
  hex,
  type FieldValue,
  type Translation,
  type WalkResult,
  type WalkStep,
} from '../../inspection/protocol';
import { sentence } from '../errors';
import {
  stageBelow,
  stepsOfStage,
  type ResultElement,
  type StageElement,
  type StepElement,
  type WalkElement,
} from './walkElements';
import { requesterName, requesterText, tagOf, type Wording } from './wording';

export function wordWalk(element: WalkElement): Wording {
  switch (element.kind) {
    case 'line':
      return element.wording;
    case 'result':
      return wordResult(element.result);
    case 'stage':
      return wordStage(element);
    case 'step':
      return wordStep(element);
  }
}

const joined = (...parts: readonly (string | undefined)[]): string => parts.filter(Boolean).join(' ');

function wordResult({ translation, summary, hint, vendorFault }: WalkResult): Wording {
  const code = vendorFault === undefined ? undefined : `${vendorFault}.`;
  return {
    // Short and with the point first: a side bar cuts off what comes late.
    label: resultLabel(translation),
    description: joined(code, summary, hint),
    icon: translation.ok ? 'pass' : 'error',
    colour: translation.ok ? 'testing.iconPassed' : 'testing.iconFailed',
    spoken: joined(summary, code, hint),
    tooltip: [
      [vscode.l10n.t('Result'), summary],
      ...(hint === undefined ? [] : [[vscode.l10n.t('Next'), hint] as const]),
      ...(translation.ok ? [] : [[vscode.l10n.t('Fault'), translation.fault] as const]),
      ...(vendorFault === undefined ? [] : [[vscode.l10n.t('In the specification'), vendorFault] as const]),
    ],
    opens: false,
  };
}

function resultLabel(translation: Translation): string {
  if (translation.ok) return `→ ${hex(translation.paddr)}`;
  const { fault, level, stage } = translation;
  if (level === null) {
    return stage === undefined
      ? vscode.l10n.t('Refused: {0}', fault)
      : vscode.l10n.t('Refused: {0}, stage {1}', fault, stage);
  }
  return stage === undefined
    ? vscode.l10n.t('Refused: {0}, level {1}', fault, level)
    : vscode.l10n.t('Refused: {0}, level {1} of stage {2}', fault, level, stage);
}

/** `Stage 1`, or which address a stage 2 translates. */
function stageTitle({ stage, steps: [first], parent }: StageElement): string {
  const input = first?.input;
  if (stage === 1 || input === undefined) return vscode.l10n.t('Stage {0}', stage);
  return parent
    ? vscode.l10n.t('Stage-2 walk of guest address {0}', hex(input))
    : vscode.l10n.t('Stage 2 of guest address {0}', hex(input));
}

function wordStage(element: StageElement): Wording {
  const label = stageTitle(element);
  const domain = element.steps[0]?.entry.domain;
  const description = domain ? domainTag(domain, element.words) : '';
  return {
    label,
    description,
    icon: 'layers',
    spoken: `${label}, ${description}`,
    tooltip: [[label, description]],
    opens: true,
  };
}

function wordStep({ step, place, words: vendor }: StepElement): Wording {
  const words = step.words.map(hex).join(' ');
  const [problem] = step.problems;
  const { domain } = step.entry;
  const title = vscode.l10n.t('Step {0}: {1}, index {2}, {3}', place, step.title, step.index, step.says);
  return {
    label: step.title,
    description: `[${step.index}] ${step.says}`,
    icon: problem ? 'warning' : 'symbol-numeric',
    ...(problem && {
      colour: problem.severity === 'error' ? 'list.errorForeground' : 'list.warningForeground',
    }),
    spoken: title,
    tooltip: [
      [vscode.l10n.t('Entry'), `${words} @ ${hex(step.entry.address)}`],
      ...(domain
        ? [[vscode.l10n.t('Tables of'), `${tagOf(domain, vendor)}, ${stageName(step)}`] as const]
        : []),
      [vscode.l10n.t('Index'), String(step.index)],
      [vscode.l10n.t('Says'), step.says],
      [vscode.l10n.t('Permission so far'), step.perm],
      ...step.problems.map((each) => [vscode.l10n.t('Problem'), sentence(each)] as const),
    ],
    opens: true,
  };
}

const stageName = ({ stage }: WalkStep): string => vscode.l10n.t('stage {0}', stage ?? '');

export function wordField(field: FieldValue): Wording {
  const bits = field.high === field.low ? String(field.low) : `${field.high}:${field.low}`;
  return {
    label: field.name,
    description: `${hex(field.value)} ${field.meaning}`,
    icon: 'symbol-constant',
    spoken: vscode.l10n.t('{0}, bits {1}: {2}, {3}', field.name, bits, hex(field.value), field.meaning),
    tooltip: [
      [field.name, `[${bits}] = ${hex(field.value)}`],
      [vscode.l10n.t('Meaning'), field.meaning],
      [vscode.l10n.t('Specification'), field.section],
    ],
    opens: false,
  };
}

/** Rows of a walk as text of several lines: who asked, every entry with the stage-2 walk that found it, and the answer. */
export function walkText(rows: readonly WalkElement[]): string {
  return rows
    .flatMap((row) => (row.kind === 'result' ? questionText(row) : linesOf(row, '')))
    .concat(rows.flatMap(answerText))
    .join('\n');
}

function questionText({ result: { request, iommu }, words }: ResultElement): string[] {
  const { requester, pasid, access, iova } = request;
  return [
    `${access} ${hex(iova)}, ${requesterName(requester)} (${requesterText(requester, pasid, words)}), ${iommu}`,
  ];
}

function answerText(row: WalkElement): string[] {
  if (row.kind !== 'result') return [];
  const { summary, vendorFault, hint } = row.result;
  const answer = vendorFault === undefined ? summary : `${summary} (${vendorFault})`;
  return hint === undefined ? [answer] : [answer, hint];
}

function linesOf(row: WalkElement, indent: string): string[] {
  if (row.kind === 'step') {
    const below = stageBelow(row);
    return [indent + stepText(row.step), ...(below ? linesOf(below, `${indent}  `) : [])];
  }
  if (row.kind !== 'stage') return [];
  return [indent + stageTitle(row), ...stepsOfStage(row).flatMap((step) => linesOf(step, `${indent}  `))];
}

/** One entry on one line. */
export const stepText = (step: WalkStep): string =>
  `${step.title} [${step.index}] ${step.words.map(hex).join(' ')} @ ${hex(step.entry.address)} ${step.perm}: ${step.says}`;
