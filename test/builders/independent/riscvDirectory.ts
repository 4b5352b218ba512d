/** ddtp, the device directory and device contexts. RISC-V IOMMU 1.0 chapter 2 (device-directory table, checks, process to translate). */
import { type Build, type Mapped } from './armRiscvCases';
import {
  atp,
  CAP,
  CAPABILITIES,
  DDT,
  type DeviceContext,
  leafTo,
  pageTable,
  RiscvImage,
  SV39,
  SV39X4,
  TC,
} from './riscvImage';

const IOVA = 0x12_3456_7000n;

const target = (seed: number): bigint => 0x10_0000_0000n + BigInt(seed) * 0x11000n;
const page = (seed: number): Mapped => ({ paddr: target(seed), size: 0x1000n, perm: 'RW', level: 0 });

/** A context that maps one page by Sv39. */
function simple(image: RiscvImage, seed: number): DeviceContext {
  const tree = pageTable(image.memory, SV39);
  tree.set(IOVA, 0, leafTo(target(seed)));
  return { fsc: atp(SV39.code, tree.root) };
}

const off: Build = () => {
  const image = new RiscvImage('riscv: ddtp Off');
  image.put(3, simple(image, 3));
  const why = 'ddtp.iommu_mode=Off: all inbound transactions disallowed, cause 256 (IOMMU 1.0 2.3)';
  for (const requester of [3, 0, 0xffffff]) {
    image.cases.refused({ requester }, IOVA, { fault: 'translation-blocked' }, why);
  }
  return image.build(DDT.off);
};

const bare: Build = () => {
  const image = new RiscvImage('riscv: ddtp Bare');
  const why = 'ddtp.iommu_mode=Bare: the address is used as it is (IOMMU 1.0 2.3)';
  for (const requester of [0, 3, 0xffffff]) {
    image.cases.passThrough({ requester }, [0n, IOVA, 0xff_ffff_ffff_f123n], why);
  }
  return image.build(DDT.bare);
};

/** Device ids at the edges of every index of the directory. */
const levels = (mode: bigint, count: number, extended: boolean): Build => {
  return () => {
    const format = extended ? 'extended' : 'base';
    const image = new RiscvImage(`riscv: ${count}-level directory, ${format} contexts`, { mode, extended });
    const { cases } = image;
    const first = extended ? 6 : 7;
    const width = [first, first + 9, 24][count - 1] ?? 24;
    const end = 2 ** width;
    const good = new Set([0, 1, 2 ** first - 1, end - 1, Math.floor(end / 3)]);
    if (count > 1) for (const id of [2 ** first, 2 ** (first + 9) - 1]) good.add(id);
    if (count > 2)
      for (const id of [2 ** (first + 9), 2 ** (first + 9) * 5 + 2 ** first * 3 + 7]) good.add(id);
    [...good].forEach((requester, seed) => {
      image.put(requester, simple(image, seed));
      const why = `${count}LVL, ${format}: DDI[0] has ${first} bits, DDI[1] 9 (IOMMU 1.0 2.1)`;
      cases.page({ requester }, IOVA, page(seed), why);
    });
    for (const requester of [end, end * 2 + 1, 0xffffff].filter((id) => id >= end && id < 2 ** 24)) {
      const why = `device_id wider than ${count}LVL: transaction type disallowed, cause 260 (IOMMU 1.0 2.3)`;
      cases.refused({ requester }, IOVA, { fault: 'requester-out-of-range' }, why);
    }
    const notValid = 'DC.tc.V=0: DDT entry not valid, cause 258 (IOMMU 1.0 2.3.1)';
    cases.refused({ requester: 2 }, IOVA, { fault: 'context-entry-not-present' }, notValid);
    if (count > 1) {
      const empty = 'A non-leaf DDT entry with V=0: cause 258 (IOMMU 1.0 2.3.1)';
      const requester = 2 ** first * 9;
      cases.refused({ requester }, IOVA, { fault: 'root-entry-not-present' }, empty);
      const lost = 2 ** first * 10;
      image.directory.slot(image.at(lost), 1);
      image.directory.set(image.at(lost), 1, ((1n << 41n) >> 2n) | 1n);
      const absent =
        'The leaf table is not in the image: DDT entry load access fault, cause 257 (IOMMU 1.0 2.3.1)';
      cases.refused({ requester: lost }, IOVA, { fault: 'context-entry-unreadable' }, absent);
    }
    if (count > 2) {
      const empty = 'The root entry has V=0: cause 258 (IOMMU 1.0 2.3.1)';
      cases.refused({ requester: 2 ** (first + 9) * 9 }, IOVA, { fault: 'root-entry-not-present' }, empty);
      const lost = 2 ** (first + 9) * 10;
      image.directory.set(image.at(lost), 2, ((1n << 42n) >> 2n) | 1n);
      const absent = 'The table of level 1 is not in the image: cause 257 (IOMMU 1.0 2.3.1)';
      cases.refused({ requester: lost }, IOVA, { fault: 'root-entry-unreadable' }, absent);
    }
    return image.build();
  };
};

const missingDirectory = (mode: bigint): Build => {
  return () => {
    const one = mode === DDT.oneLevel;
    const image = new RiscvImage(`riscv: directory not in the image, ${one ? 1 : 2} levels`, { mode });
    const fault = one ? 'context-entry-unreadable' : 'root-entry-unreadable';
    const why = 'The directory is not in the image: DDT entry load access fault, cause 257 (IOMMU 1.0 2.3.1)';
    image.cases.refused({ requester: 5 }, IOVA, { fault }, why);
    return image.build(((1n << 40n) >> 2n) | mode);
  };
};

/** Reserved bits of entries that lead to other tables. */
const reservedPointers: Build = () => {
  const image = new RiscvImage('riscv: reserved bits of non-leaf DDT entries', { mode: DDT.threeLevel });
  const { cases } = image;
  const reserved = [...range(1, 9), ...range(54, 63)];
  const perTable = 2 ** 7;
  const perRoot = 2 ** 16;
  image.put(0, simple(image, 0));
  cases.page({ requester: 0 }, IOVA, page(0), 'No reserved bit set');
  reserved.forEach((bit, index) => {
    const why = `Bit ${bit} of a non-leaf DDT entry is reserved: DDT entry misconfigured, cause 259 (IOMMU 1.0 2.3.1)`;
    const low = (index + 1) * perTable;
    image.put(low, simple(image, index + 1));
    image.directory.add(image.at(low), 1, 1n << BigInt(bit));
    cases.refused({ requester: low }, IOVA, { fault: 'root-entry-reserved' }, why);
    const high = (index + 1) * perRoot;
    image.put(high, simple(image, index + 1));
    image.directory.add(image.at(high), 2, 1n << BigInt(bit));
    cases.refused({ requester: high }, IOVA, { fault: 'root-entry-reserved' }, why);
  });
  return image.build();
};

export const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Every bit of a device context that is reserved whatever else it says. */
const reservedContexts = (extended: boolean): Build => {
  return () => {
    const format = extended ? 'extended' : 'base';
    const image = new RiscvImage(`riscv: reserved bits of ${format} device contexts`, { extended });
    const { cases } = image;
    const good = simple(image, 0);
    const plain = image.device(good);
    cases.page({ requester: plain }, IOVA, page(0), 'No reserved bit set');
    const flip = (field: keyof DeviceContext, bits: readonly number[]): void => {
      for (const bit of bits) {
        const base = field === 'tc' ? TC.V : (good[field] ?? 0n);
        const requester = image.device({ ...good, [field]: base | (1n << BigInt(bit)) });
        const why = `Bit ${bit} of ${field} is reserved: DDT entry misconfigured, cause 259 (IOMMU 1.0 2.1.4)`;
        cases.refused({ requester }, IOVA, { fault: 'context-entry-reserved' }, why);
      }
    };
    flip('tc', [...range(12, 23), ...range(32, 63)]);
    flip('ta', [...range(0, 11), ...range(32, 39)]);
    flip('fsc', range(44, 59));
    if (extended) {
      flip('msiptp', range(44, 59));
      flip('msiMask', range(52, 63));
      flip('msiPattern', range(52, 63));
      flip('reserved', range(0, 63));
    }
    const quality = 'RCID and MCID are reserved without capabilities.QOSID: cause 259 (IOMMU 1.0 2.1.3)';
    for (const bit of range(40, 63)) {
      const requester = image.device({ ...good, ta: 1n << BigInt(bit) });
      cases.refused({ requester }, IOVA, { fault: 'context-entry-reserved' }, quality);
    }
    const ignored = image.device({ ...good, ta: 0xfffffn << 12n });
    cases.page({ requester: ignored }, IOVA, page(0), 'PSCID is a tag only (IOMMU 1.0 2.1.3)');
    const dontCare = image.device({ ...good, tc: ~TC.V & ((1n << 64n) - 1n) });
    const notValid = 'V=0: all other bits are free for software, cause 258 (IOMMU 1.0 2.1.3)';
    cases.refused({ requester: dontCare }, IOVA, { fault: 'context-entry-not-present' }, notValid);
    return image.build();
  };
};

/** The configuration checks of a device context, one by one. */
const misconfigured: Build = () => {
  const image = new RiscvImage('riscv: misconfigured device contexts', {
    capabilities: CAPABILITIES & ~(CAP.amoHwad | CAP.sv48 | CAP.sv57 | CAP.sv57x4 | CAP.pd20 | CAP.pd17),
  });
  const { cases } = image;
  const good = simple(image, 0);
  const root = (good.fsc ?? 0n) & ((1n << 44n) - 1n);
  const check = (context: DeviceContext, why: string): void => {
    const requester = image.device(context);
    const rule = `${why}: DDT entry misconfigured, cause 259 (IOMMU 1.0 2.1.4)`;
    cases.refused({ requester }, IOVA, { fault: 'context-entry-invalid' }, rule);
  };
  cases.page({ requester: image.device(good) }, IOVA, page(0), 'The context that the others differ from');
  check({ ...good, tc: TC.V | (1n << 1n) }, 'EN_ATS=1 without capabilities.ATS');
  check({ ...good, tc: TC.V | (1n << 2n) }, 'EN_PRI=1 without capabilities.ATS');
  check({ ...good, tc: TC.V | (1n << 3n) }, 'T2GPA=1 without EN_ATS');
  check({ ...good, tc: TC.V | (1n << 6n) }, 'PRPR=1 without capabilities.ATS');
  check({ ...good, tc: TC.V | (1n << 10n) }, 'SBE=1, fctl.BE=0 and capabilities.END=0');
  check({ ...good, tc: TC.V | TC.DPE }, 'DPE=1 with PDTV=0');
  check({ ...good, tc: TC.V | TC.SADE }, 'SADE=1 without capabilities.AMO_HWAD');
  check({ ...good, tc: TC.V | TC.GADE }, 'GADE=1 without capabilities.AMO_HWAD');
  for (const mode of [1n, 2n, 3n, 4n, 5n, 6n, 7n, 11n, 12n, 13n]) {
    check({ fsc: root | (mode << 60n) }, `iosatp.MODE=${mode} is no mode`);
  }
  check({ fsc: root | (9n << 60n) }, 'iosatp.MODE=Sv48 without capabilities.Sv48');
  check({ fsc: root | (10n << 60n) }, 'iosatp.MODE=Sv57 without capabilities.Sv57');
  const second = pageTable(image.memory, SV39X4);
  for (const mode of [1n, 2n, 7n, 11n, 15n]) {
    check({ ...good, iohgatp: atp(mode, second.root) }, `iohgatp.MODE=${mode} is no mode`);
  }
  check({ ...good, iohgatp: atp(10n, second.root) }, 'iohgatp.MODE=Sv57x4 without capabilities.Sv57x4');
  for (const offset of [0x1000n, 0x2000n, 0x3000n]) {
    const why = 'The root of the second stage is not aligned to 16 KiB';
    check({ ...good, iohgatp: atp(8n, second.root + offset) }, why);
  }
  for (const mode of [2n, 3n]) {
    check({ tc: TC.V | TC.PDTV, fsc: root | (mode << 60n) }, `pdtp.MODE=${mode} is not supported`);
  }
  for (const mode of [4n, 8n, 13n]) {
    check({ tc: TC.V | TC.PDTV, fsc: root | (mode << 60n) }, `pdtp.MODE=${mode} is no mode`);
  }
  return image.build();
};

/** The ATS fields of a device context, and msiptp.MODE. */
const optionalFields: Build = () => {
  const image = new RiscvImage('riscv: ATS and MSI fields of device contexts', {
    extended: true,
    capabilities: CAPABILITIES | CAP.ats,
  });
  const { cases } = image;
  const good = simple(image, 0);
  const [enAts, enPri, t2gpa, prpr] = [1n << 1n, 1n << 2n, 1n << 3n, 1n << 6n];
  const second = pageTable(image.memory, SV39X4);
  const iohgatp = atp(SV39X4.code, second.root);
  for (const more of [enAts, enAts | enPri, enAts | enPri | prpr]) {
    const requester = image.device({ ...good, tc: TC.V | more });
    const why = 'EN_ATS, EN_PRI and PRPR do not bear on untranslated requests (IOMMU 1.0 2.1.3)';
    cases.page({ requester }, IOVA, page(0), why);
  }
  const check = (context: DeviceContext, what: string): void => {
    const why = `${what}: DDT entry misconfigured, cause 259 (IOMMU 1.0 2.1.4)`;
    cases.refused({ requester: image.device(context) }, IOVA, { fault: 'context-entry-invalid' }, why);
  };
  check({ ...good, tc: TC.V | enPri }, 'EN_PRI=1 without EN_ATS');
  check({ ...good, tc: TC.V | enAts | prpr }, 'PRPR=1 without EN_PRI');
  check({ ...good, tc: TC.V | t2gpa }, 'T2GPA=1 without EN_ATS');
  check({ ...good, iohgatp, tc: TC.V | enAts | t2gpa }, 'T2GPA=1 without capabilities.T2GPA');
  for (const mode of [2n, 7n, 13n]) {
    check({ ...good, iohgatp, msiptp: atp(mode, 0n) }, `msiptp.MODE=${mode} is neither Off nor Flat`);
  }
  return image.build();
};

/** Contexts that translate nothing. */
const bareContexts: Build = () => {
  const image = new RiscvImage('riscv: bare device contexts');
  const { cases } = image;
  const requester = image.device({});
  const why = 'iosatp.MODE and iohgatp.MODE Bare: the address is used as it is (IOMMU 1.0 2.3)';
  cases.passThrough({ requester }, [0n, IOVA, 0xff_ffff_ffff_f000n], why);
  const pasid = 'process_id with DC.tc.PDTV=0: transaction type disallowed, cause 260 (IOMMU 1.0 2.3)';
  for (const id of [requester, image.device(simple(image, 1))]) {
    cases.refused({ requester: id, pasid: 0 }, IOVA, { fault: 'pasid-not-supported' }, pasid);
    cases.refused({ requester: id, pasid: 7 }, IOVA, { fault: 'pasid-not-supported' }, pasid);
  }
  const lost = image.device({ fsc: atp(8n, 1n << 41n) });
  const absent = 'The root table is not in the image: access fault (Privileged 4.3.2 step 2)';
  cases.refused({ requester: lost }, IOVA, { fault: 'table-unreadable' }, absent);
  return image.build();
};

export const RISCV_DIRECTORY_IMAGES: readonly Build[] = [
  off,
  bare,
  levels(DDT.oneLevel, 1, false),
  levels(DDT.twoLevel, 2, false),
  levels(DDT.threeLevel, 3, false),
  levels(DDT.oneLevel, 1, true),
  levels(DDT.twoLevel, 2, true),
  levels(DDT.threeLevel, 3, true),
  missingDirectory(DDT.oneLevel),
  missingDirectory(DDT.twoLevel),
  reservedPointers,
  reservedContexts(false),
  reservedContexts(true),
  misconfigured,
  optionalFields,
  bareContexts,
];
