import { fieldMakers, mask, type BitField } from '../bits/bitFields';
import { type EntryShape, type LevelRule } from './pageTableFormat';

export type ArmStage = 1 | 2;

/**
 * How a descriptor holds an address. 48: bits 47:12. ds: bits 49:12, and 51:50 in bits 9:8 (4K and 16K granules with DS).
 * lpa: bits 47:16, and 51:48 in bits 15:12 (64K granule where output addresses may have 52 bits).
 */
export type ArmAddressForm = '48' | 'ds' | 'lpa';

/** What decides where the fields of a descriptor stand. */
export interface ArmShape {
  readonly stage: ArmStage;
  /** log2 of the bytes of a page. */
  readonly pageShift: number;
  readonly form: ArmAddressForm;
}

const SECTION = 'Arm DDI 0487 D8.3.1';
const { flag, field, address, ignored } = fieldMakers(SECTION);

const RES0 = 'RES0';

/** Maker of bits that hardware ignores, and that software is to write as 0. */
export function zeroMaker(section: string) {
  const makers = fieldMakers(section);
  return (high: number, low = high): BitField =>
    makers.field(RES0, high, low, 'ignored', (value) =>
      value === 0n ? 'should be 0' : 'should be 0; hardware ignores it',
    );
}

const zero = zeroMaker(SECTION);

/** The bits of a layout that software is to write as 0. */
export function zeroBits(layout: readonly BitField[]): bigint {
  return layout.reduce((all, { name, high, low }) => (name === RES0 ? all | mask(high, low) : all), 0n);
}

const SHAREABILITY = ['non-shareable', 'reserved', 'outer shareable', 'inner shareable'];

const valid = flag('Valid', 0, 'control', 'valid', 'not valid');

/** The fields of a descriptor: each of the 64 bits once. */
export function armLayout(arm: ArmShape, shape: EntryShape, level: LevelRule): readonly BitField[] {
  if (shape === 'table') return [valid, ...tableFields(arm)];
  return [valid, ...leafFields(arm, level), ...(arm.stage === 1 ? stage1Fields(arm) : stage2Fields(arm))];
}

function tableFields({ stage, pageShift, form }: ArmShape): BitField[] {
  return [
    flag('Table', 1, 'control', 'points to a table', 'maps a block'),
    ignored(7, 2),
    form === 'ds' ? upperAddress('NLTA[51:50]', 9, 8, 50) : ignored(9, 8),
    flag('AF', 10, 'status', 'accessed, where hardware marks tables (HAFT)', 'not accessed, or not marked'),
    ignored(11),
    ...addressFields('NLTA', 'next table at', form, pageShift, pageShift),
    zero(50),
    ignored(58, 51),
    ...(stage === 2 ? [zero(63, 59)] : hierarchyFields()),
  ];
}

function hierarchyFields(): BitField[] {
  const limits = [
    'limits nothing below',
    'no unprivileged access below',
    'no writes below',
    'no unprivileged access and no writes below',
  ];
  return [
    flag('PXNTable', 59, 'permission', 'privileged execute not allowed below', 'limits nothing below'),
    flag('XNTable', 60, 'permission', 'execute not allowed below', 'limits nothing below'),
    field('APTable', 62, 61, 'permission', (value) => limits[Number(value)] ?? ''),
    flag('NSTable', 63, 'attribute', 'non-secure below, in Secure state', 'limits nothing below'),
  ];
}

/** Address bits from `shift` up, and what lies below them down to bit 12. */
function addressFields(
  name: string,
  what: string,
  form: ArmAddressForm,
  pageShift: number,
  shift: number,
): BitField[] {
  const top = form === 'ds' ? 49 : 47;
  const large = shift > pageShift;
  const fields = [address(`${name}[${top}:${shift}]`, top, shift, what)];
  if (form !== 'ds') fields.push(zero(49, 48));
  if (large) {
    fields.push(zero(shift - 1, 17));
    fields.push(
      flag(
        'nT',
        16,
        'control',
        'may take the place of a table without break',
        'no change of block size under way',
      ),
    );
  }
  if (form === 'lpa') fields.push(upperAddress(`${name}[51:48]`, 15, 12, 48));
  else if (large) fields.push(zero(15, 12));
  else if (pageShift > 12) fields.push(zero(pageShift - 1, 12));
  return fields;
}

function upperAddress(name: string, high: number, low: number, to: number): BitField {
  return field(
    name,
    high,
    low,
    'address',
    (value) => `adds 0x${(value << BigInt(to)).toString(16)} to the address`,
  );
}

/** What leaves of both stages have. */
function leafFields({ form, pageShift }: ArmShape, level: LevelRule): BitField[] {
  const page = level.level === 3;
  return [
    flag(
      'Type',
      1,
      'control',
      page ? 'maps a page' : 'points to a table',
      page ? 'reserved' : 'maps a block',
    ),
    form === 'ds'
      ? upperAddress('OA[51:50]', 9, 8, 50)
      : field('SH', 9, 8, 'attribute', (value) => SHAREABILITY[Number(value)] ?? ''),
    flag('AF', 10, 'status', 'accessed', 'not accessed'),
    ...addressFields('OA', page ? 'page at' : 'block at', form, pageShift, level.shift),
    flag('DBM', 51, 'status', 'hardware may make it writable and dirty', 'hardware keeps no dirty state'),
    flag('Contiguous', 52, 'attribute', 'one of a run of adjacent entries', 'not one of a run'),
  ];
}

function stage1Fields(_: ArmShape): BitField[] {
  return [
    field('AttrIndx', 4, 2, 'attribute', (value) => `memory type ${value} of MAIR`),
    flag('NS', 5, 'attribute', 'non-secure, in Secure state', 'secure, in Secure state'),
    flag('AP[1]', 6, 'permission', 'unprivileged access allowed', 'privileged access only'),
    flag('AP[2]', 7, 'permission', 'read-only, or clean where DBM counts', 'writes allowed'),
    flag('nG', 11, 'attribute', 'of this ASID only', 'global: of every ASID'),
    flag('GP', 50, 'attribute', 'guarded page', 'not a guarded page'),
    flag('PXN', 53, 'permission', 'privileged execute not allowed', 'privileged execute allowed'),
    flag('XN', 54, 'permission', 'unprivileged execute not allowed', 'unprivileged execute allowed'),
    software(58, 55),
    field('PBHA', 62, 59, 'attribute', (value) => `hardware attributes ${value}, where they are enabled`),
    ignored(63),
  ];
}

function stage2Fields(_: ArmShape): BitField[] {
  return [
    field('MemAttr', 5, 2, 'attribute', (value) => `memory type ${value.toString(2).padStart(4, '0')}`),
    flag('S2AP[0]', 6, 'permission', 'reads allowed', 'reads not allowed'),
    flag('S2AP[1]', 7, 'permission', 'writes allowed', 'writes not allowed, or clean where DBM counts'),
    flag('FnXS', 11, 'attribute', 'the XS attribute is taken as 0', 'the XS attribute stays'),
    zero(50),
    field('XN', 54, 53, 'permission', (value) => EXECUTE[Number(value)] ?? ''),
    software(58, 55),
    field('PBHA', 62, 59, 'attribute', (value) => `hardware attributes ${value}, where they are enabled`),
    zero(63),
  ];
}

const EXECUTE = [
  'execute allowed',
  'privileged execute not allowed',
  'execute not allowed',
  'unprivileged execute not allowed',
];

function software(high: number, low: number): BitField {
  return field('Software', high, low, 'software', (value) => `0x${value.toString(16)}, free for software`);
}
