import * as vscode from 'vscode';
import {
  domainTag,
  hex,
  RequestError,
  type DomainKey,
  type DomainRow,
  type Page,
  type PageRequest,
  type VendorWords,
} from '../../inspection/protocol';
import type { App } from '../app';
import type { Inspection } from '../inspections';
import type { Choice } from '../prompts/pick';
import { domainOf, isElement } from '../views/elements';
import { requesterName, stageText } from '../views/wording';

/** Rows asked for at once where all of a list is wanted. */
const PAGE_LIMIT = 1000;
/** A list to choose from is no use beyond this; what is meant can be typed. */
const CHOICES_LIMIT = 5000;

/** Named values that came with a command, from a keybinding, a link or a program. */
export type Given = Readonly<Record<string, unknown>>;

/** The named values of a command's first argument; none when it is a tree element or absent. */
export const givenValues = (arg: unknown): Given =>
  typeof arg === 'object' && arg !== null && !isElement(arg) ? { ...arg } : {};

export const givenText = (given: Given, name: string): string | undefined => {
  const value = given[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
};

/** The inspection that a command is about: of the element or id it was given, else the current one. */
export function targetInspection(app: App, arg: unknown): Inspection {
  const id = isElement(arg) ? arg.inspection.id : givenText(givenValues(arg), 'inspection');
  const found = id === undefined ? app.inspections.current : app.inspections.find(id);
  if (found) return found;
  throw new RequestError({
    code: 'host/no-image',
    message: vscode.l10n.t('No memory image is open.'),
    hint: vscode.l10n.t('Open one with "IOPTE: Open Memory Image" or "IOPTE: Open Sample".'),
  });
}

/** The domain that the given element or the selection is in. */
export function targetDomain(app: App, inspection: Inspection, arg: unknown): DomainKey | undefined {
  const element = isElement(arg) ? arg : app.domains.selected;
  return element?.inspection.id === inspection.id ? domainOf(element) : undefined;
}

/** Names a domain among those of one image: `iommu0/4/0x14ab2b000`, of a nested one also the stage 2 below. */
export function domainName({ iommu, domainId, root, below }: DomainKey): string {
  const name = `${iommu}/${domainId}/${hex(root)}`;
  return below ? `${name}/${below.domainId}/${hex(below.root)}` : name;
}

/** The vendor's words of an IOMMU. */
async function wordsOfIommu(app: App, inspection: Inspection, name: string): Promise<VendorWords> {
  const { iommus } = await app.inspections.summary(inspection);
  const found = iommus.find((iommu) => iommu.name === name);
  if (found) return found.words;
  throw new RequestError({
    code: 'host/no-iommu',
    message: vscode.l10n.t('There is no IOMMU {0} in {1}.', name, inspection.title),
    hint: vscode.l10n.t('The IOMMUs are: {0}.', iommus.map((iommu) => iommu.name).join(', ')),
  });
}

/** `ASID 1 on VMID 7` */
export const tagOfDomain = async (app: App, inspection: Inspection, domain: DomainKey): Promise<string> =>
  domainTag(domain, await wordsOfIommu(app, inspection, domain.iommu));

/** All domains of an image. */
export const allDomains = (app: App, inspection: Inspection): Promise<readonly DomainRow[]> =>
  allPages((page) => app.inspections.ask(inspection, 'domains', { page }));

/** A domain by the name that `domainName` gives, or by its id alone where only one has it. */
export async function namedDomain(
  app: App,
  inspection: Inspection,
  name: string | undefined,
): Promise<DomainKey | undefined> {
  if (name === undefined) return undefined;
  const domains = await allDomains(app, inspection);
  const exact = domains.find((each) => domainName(each) === name);
  const found = exact ? [exact] : domains.filter((each) => String(each.domainId) === name);
  const [first] = found;
  if (first && found.length === 1) return first;
  if (first) {
    throw new RequestError({
      code: 'host/ambiguous-domain',
      message: vscode.l10n.t('{0} names more than one domain of {1}.', name, inspection.title),
      hint: vscode.l10n.t('The domains are: {0}.', found.map(domainName).join(', ')),
    });
  }
  throw new RequestError({
    code: 'host/no-domain',
    message: vscode.l10n.t('There is no domain {0} in {1}.', name, inspection.title),
    hint: vscode.l10n.t('The domains are: {0}.', domains.map(domainName).join(', ')),
  });
}

export async function domainChoices(app: App, inspection: Inspection): Promise<readonly Choice<DomainKey>[]> {
  const domains = await allDomains(app, inspection);
  const { iommus } = await app.inspections.summary(inspection);
  const words = new Map(iommus.map((iommu) => [iommu.name, iommu.words]));
  const tag = (domain: DomainRow): string => {
    const own = words.get(domain.iommu);
    return own ? domainTag(domain, own) : `${domain.tag} ${domain.domainId}`;
  };
  return domains.map((domain) => ({
    label: tag(domain),
    description: domain.requesters.map(requesterName).join(' '),
    detail: vscode.l10n.t(
      '{0}, {1}, {2}, {3} levels, root {4}',
      domain.iommu,
      stageText(domain),
      domain.format,
      domain.levels,
      hex(domain.root),
    ),
    value: domain,
  }));
}

/** Reads a list to its end, or to the bound. */
export async function allPages<Row>(
  read: (page: PageRequest) => Promise<Page<Row>>,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<Row> = await read({ limit: PAGE_LIMIT, ...(cursor !== undefined && { cursor }) });
    rows.push(...page.rows);
    cursor = page.next;
  } while (cursor !== undefined && rows.length < CHOICES_LIMIT);
  return rows;
}
