import { DMA_LOGGING_LIMITS, DmaLogging } from '../driver/vfio/dmaLogging';
import { VfioMigrationDevice, type VfioDeviceModel } from '../driver/vfio/migrationDevice';
import { isVfioModel, VFIO_MODELS } from '../driver/vfio/models';
import { Type1Container, TYPE1_RULES } from '../driver/vfio/type1';
import { parseDevice, parseInteger, type RequesterId } from '../values';
import { type MachineSpec, type MachineVfio } from './spec';

/** What VFIO knows of one device. */
export interface DeviceSide {
  readonly migration: VfioMigrationDevice | undefined;
  readonly log: DmaLogging | undefined;
  /** Where its write-backs go, and how many of them are due: its driver asked for them, and no DMA was done yet. */
  readonly writeBackTo: bigint | undefined;
  writesBackDue: number;
}

/** What VFIO has of a machine's devices, as the specification says. */
export class DeviceSides {
  readonly type1: Type1Container | undefined;
  readonly #sides = new Map<RequesterId, DeviceSide>();

  constructor({ devices, type1 }: Pick<MachineSpec, 'devices' | 'type1'>) {
    this.type1 = type1 ? new Type1Container({ ...TYPE1_RULES, ...type1 }) : undefined;
    for (const { requester, vfio, log } of devices) {
      const parsed = parseDevice(requester);
      if (!parsed || (!vfio && !log)) continue;
      const { writeBackTo } = vfio ?? {};
      const side: DeviceSide = {
        migration: vfio
          ? new VfioMigrationDevice(modelOf(vfio), () => {
              side.writesBackDue++;
            })
          : undefined,
        log: log ? new DmaLogging({ ...DMA_LOGGING_LIMITS, ...log }) : undefined,
        writeBackTo: writeBackTo === undefined ? undefined : parseInteger(writeBackTo),
        writesBackDue: 0,
      };
      this.#sides.set(parsed.requester, side);
    }
  }

  get(requester: RequesterId): DeviceSide | undefined {
    return this.#sides.get(requester);
  }
}

/** The model with what the specification says in its place. */
function modelOf({ model, writesBack, state }: MachineVfio): VfioDeviceModel {
  const known: VfioDeviceModel = isVfioModel(model) ? VFIO_MODELS[model] : VFIO_MODELS['stop-copy'];
  const bytes = state === undefined ? undefined : parseInteger(state);
  return {
    ...known,
    ...(writesBack ? { writesBack } : {}),
    ...(bytes === undefined ? {} : { stopCopyBytes: Number(bytes) }),
  };
}
