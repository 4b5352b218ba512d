import { type DmaLine } from '../../../engine/machine/dmaLine';
import { type MachineOperation } from '../../../engine/machine/operation';
import { addressesText, expectedText, isWithin, REQUESTS } from '../texts';
import { parseInteger } from '../../../engine/values';
import { type Planner, wrong } from './planned';

/** Requests of one operation. */
const MOST_LINES = 20_000;

export const replay: Planner<'replay'> = ({ file, refused: wanted = NONE }, { traffic }) => {
  const lines = traffic.requestsOf(file);
  if ('expected' in lines) return lines;
  const operations: MachineOperation[] = [];
  for (let first = 0; first < lines.length; first += MOST_LINES)
    operations.push({ kind: 'dma', requests: lines.slice(first, first + MOST_LINES) });
  return {
    operations,
    judge: (reports) => {
      const refused = reports.reduce((sum, { counts }) => sum + (counts['refused'] ?? 0), 0);
      if (isWithin(wanted, refused)) return [];
      const places = reports.flatMap((report, part) =>
        (report.refused ?? []).map(({ index }) => iovaOf(lines[part * MOST_LINES + index])),
      );
      const actual = `${REQUESTS(refused)} refused${addressesText(places, refused)}`;
      return [wrong([], `${expectedText(wanted, REQUESTS)} refused`, actual)];
    },
  };
};

const NONE = { atLeast: 0, atMost: 0 };

const iovaOf = (line: DmaLine | undefined): bigint => parseInteger(String(line?.iova)) ?? 0n;
