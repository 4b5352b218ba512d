/** PASID-table and context entries that ask for what the unit does not have: VT-d 4.1 §9.3, §9.6, §11.4.2, §11.4.3. */
import { type BuiltImage } from '../built';
import { asker, faults } from './cases';
import { Frames } from './frames';
import {
  legacyContext,
  LegacyRoot,
  PasidTables,
  pasidEntry,
  type PasidEntry,
  PGTT,
  scalableContext,
  ScalableRoot,
} from './vtdDirectory';
import { AW, cap, type CapOptions, ECAP, ECAP_LEGACY, ECAP_SCALABLE, registers, TTM } from './vtdEntries';

interface Lack {
  readonly what: string;
  readonly cap?: CapOptions;
  /** Bits of ECAP that are clear. */
  readonly without?: bigint;
  readonly entry: Omit<PasidEntry, 'domain'>;
}

const FIRST = 0x8888_0000n;
const SECOND = 0x9999_0000n;

const LACKS: readonly Lack[] = [
  { what: 'FSTS', without: ECAP.firstStage, entry: { pgtt: PGTT.first, first: FIRST } },
  { what: 'SSTS', without: ECAP.secondStage, entry: { pgtt: PGTT.second, second: SECOND, aw: AW[48] } },
  {
    what: 'NEST',
    without: ECAP.nested,
    entry: { pgtt: PGTT.nested, first: FIRST, second: SECOND, aw: AW[48] },
  },
  { what: 'PT', without: ECAP.passThrough, entry: { pgtt: PGTT.pass, aw: AW[57] } },
  { what: 'FS5LP', cap: { firstStage5Level: false }, entry: { pgtt: PGTT.first, first: FIRST, fspm: 1 } },
  {
    what: 'SAGAW 39',
    cap: { widths: [48, 57] },
    entry: { pgtt: PGTT.second, second: SECOND, aw: AW[39] },
  },
  {
    what: 'SAGAW 57',
    cap: { widths: [39, 48], mgaw: 48 },
    entry: { pgtt: PGTT.second, second: SECOND, aw: AW[57] },
  },
];

/** One image for each capability that an entry needs and the unit lacks. */
export function missingCapabilities(): BuiltImage[] {
  return [
    ...LACKS.map(lacking),
    legacyWithout('PT', ECAP.passThrough, 2),
    legacyWithout('DT', ECAP.deviceTlb, 1),
  ];
}

function lacking({ what, cap: options, without = 0n, entry }: Lack): BuiltImage {
  const frames = new Frames();
  frames.addAt(Number(FIRST >> 12n));
  frames.addAt(Number(SECOND >> 12n));
  const tables = new PasidTables(frames, 0);
  tables.set(3, pasidEntry({ ...entry, domain: 3 }));
  const roots = new ScalableRoot(frames);
  roots.set(0x0090, scalableContext(tables));
  const unit = { root: roots.root, ttm: TTM.scalable, cap: cap(options), ecap: ECAP_SCALABLE & ~without };
  const why = `the PASID-table entry needs ${what}, which the unit lacks, §9.6`;
  return {
    name: `vt-d scalable: without ${what}`,
    kind: 'vt-d',
    registers: registers(unit),
    frames: frames.map,
    expectations: faults(asker(0x0090, 3), 0x5000n, 'process-entry-invalid', why),
  };
}

function legacyWithout(what: string, bits: bigint, tt: number): BuiltImage {
  const frames = new Frames();
  const roots = new LegacyRoot(frames);
  const root = frames.add();
  roots.set(0x0090, ...legacyContext(tt, root, AW[57], 4));
  const ecap = ECAP_LEGACY & ~bits;
  const why = `TT ${tt} needs ECAP.${what}, §9.3`;
  return {
    name: `vt-d legacy: without ${what}`,
    kind: 'vt-d',
    registers: registers({ root: roots.root, ttm: TTM.legacy, ecap }),
    frames: frames.map,
    expectations: faults(asker(0x0090), 0x5000n, 'context-entry-invalid', why),
  };
}
