import { type IommuPort } from '../../../iommu/iommuPort';
import { type Steps } from '../../../steps';
import { type Pasid, requesterId, type RequesterId } from '../../../values';
import { done, refused, type Outcome } from '../../errno';
import { type FlushRange, type Flusher } from '../../flusher';
import {
  type Attachment,
  type GuestIds,
  type HandledCommands,
  type IommuDriver,
  type KernelDomain,
  type NestedDomain,
} from '../../iommuDriver';
import { type SoftwareStep } from '../../softwareStep';
import { type EncodedCommand } from './encodedCommand';
import { Lock } from './lock';
import { Uses, type Use } from './uses';
import { type GuestTarget, type VendorDriver, type VendorParts } from './vendorDriver';

/** A vendor's driver and what it works with. */
interface DriverParts extends VendorParts {
  readonly vendor: VendorDriver;
}

/** What every vendor's driver does alike: which devices use a domain, in which order caches are told, partial success. */
export class KernelIommuDriver implements IommuDriver {
  readonly port: IommuPort;
  readonly #parts: DriverParts;
  readonly #uses = new Uses();
  readonly #lock = new Lock();

  constructor(parts: DriverParts) {
    this.port = parts.port;
    this.#parts = parts;
  }

  get canTrackDirty(): boolean {
    return this.#parts.vendor.dirtyStages.length > 0;
  }

  get dirtyStages(): readonly (1 | 2)[] {
    return this.#parts.vendor.dirtyStages;
  }

  initialise(): Steps<SoftwareStep, Outcome<null>> {
    return this.#parts.vendor.initialise();
  }

  checkNested(domain: NestedDomain): Outcome<null> {
    const attachment = { kind: 'nested', domain } as const;
    return this.#parts.vendor.check({ requester: requesterId(0), pasid: null, attachment, ats: false }, []);
  }

  attached(requester: RequesterId, pasid: Pasid | null): Attachment {
    return this.#uses.of(requester, pasid).attachment;
  }

  attach(
    requester: RequesterId,
    pasid: Pasid | null,
    attachment: Attachment,
    { ats }: { readonly ats?: boolean } = {},
  ): Steps<SoftwareStep, Outcome<null>> {
    return this.#locked(() => {
      const use = { requester, pasid, attachment, ats: ats ?? this.#uses.hasAts(requester) };
      return this.#attach(use);
    });
  }

  *#attach(use: Use): Steps<SoftwareStep, Outcome<null>> {
    const { vendor } = this.#parts;
    const others = this.#uses.ofDevice(use.requester).filter(({ pasid }) => pasid !== use.pasid);
    const allowed = vendor.check(use, others);
    if (!allowed.ok) return allowed;
    const before = this.#uses.of(use.requester, use.pasid);
    this.#uses.begin(use);
    const outcome = yield* vendor.attach(use, before, others);
    if (outcome.ok) {
      this.#uses.settle(use);
      return outcome;
    }
    // Structures may say something of the new attachment, and caches hold it, unless there was no memory to begin.
    const restored = outcome.errno === 'ENOMEM' ? done(null) : yield* vendor.attach(before, use, others);
    this.#uses.cancel(use, !restored.ok);
    return outcome;
  }

  mayReach(requester: RequesterId, pasid: Pasid | null, attachment: Attachment): boolean {
    return this.#uses.isStale(requester, pasid, attachment);
  }

  setDirtyTracking(domain: KernelDomain, enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    return this.#locked(() => this.#setDirtyTracking(domain, enable));
  }

  *#setDirtyTracking(domain: KernelDomain, enable: boolean): Steps<SoftwareStep, Outcome<null>> {
    const { vendor, policy } = this.#parts;
    if (!vendor.dirtyStages.includes(domain.stage)) {
      const what = `tables of stage ${domain.stage}`;
      return refused('EOPNOTSUPP', `${this.port.name} does not mark dirty pages in ${what} of the kernel's.`);
    }
    const uses = [...this.#uses.direct(domain), ...(policy.tracksNested ? this.#uses.above(domain) : [])];
    if (policy.locksTracking) domain.dirtyTracking = enable;
    const tracked = uses.filter(
      ({ pasid, attachment }) => policy.tracksPasids || pasid === null || attachment.kind !== 'nested',
    );
    const outcome = yield* vendor.track(tracked, enable);
    domain.dirtyTracking = outcome.ok === enable;
    return outcome;
  }

  flusherOf(domain: KernelDomain): Flusher {
    const { cachesNotPresent } = this.#parts.vendor;
    return {
      ...(cachesNotPresent ? { mapped: (range) => this.#mapped(domain, range) } : {}),
      flush: (range) => this.#flush(domain, range),
      flushAll: () => this.#flush(domain, null),
      clean: (address, words) => {
        this.#parts.memory.clean(address, words);
      },
      changeTop: () => this.#locked(() => this.#changeTop(domain)),
    };
  }

  #changeTop(domain: KernelDomain): Steps<SoftwareStep, Outcome<null>> {
    const uses = [...this.#uses.direct(domain), ...this.#uses.above(domain)];
    return this.#parts.vendor.changeTop(domain, uses);
  }

  /** Devices keep nothing of what is not present: their TLBs are left alone. */
  #mapped(domain: KernelDomain, range: FlushRange): Steps<SoftwareStep, Outcome<null>> {
    const uses = [...this.#uses.direct(domain, 'cached'), ...this.#uses.above(domain, 'cached')];
    const commands = uses.length === 0 ? [] : this.#parts.vendor.translationCommands(domain, uses, range);
    return this.#parts.submitter.run(commands);
  }

  *#flush(domain: KernelDomain, range: FlushRange | null): Steps<SoftwareStep, Outcome<null>> {
    const { vendor, policy } = this.#parts;
    if (range && range.startPage >= range.endPage) return done(null);
    const direct = this.#uses.direct(domain, 'cached');
    const above = this.#uses.above(domain, 'cached');
    const cached = [...direct, ...(policy.flushesNestedTags ? above : [])];
    const translations = cached.length === 0 ? [] : vendor.translationCommands(domain, cached, range);
    const named = (use: Use): Use => (range || policy.namesPasids ? use : { ...use, pasid: null });
    const wanted = ({ ats, pasid }: Use) => ats && (policy.flushesPasidDeviceTlbs || pasid === null);
    const devices = [
      ...direct.filter(wanted).flatMap((use) => vendor.deviceTlbCommands(named(use), range)),
      // What a device holds of nested translations cannot be told by guest physical addresses: all of it goes.
      ...(policy.flushesNestedDeviceTlbs ? above : [])
        .filter(wanted)
        .flatMap((use) => vendor.deviceTlbCommands(named(use), null)),
    ];
    return yield* this.#parts.submitter.flush(translations, devices);
  }

  *submit(commands: readonly EncodedCommand[]): Steps<SoftwareStep, Outcome<null>> {
    const { submitter } = this.#parts;
    const why = commands.map((command) => submitter.problem(command)).find((each) => each !== undefined);
    return why === undefined ? yield* submitter.run(commands) : refused('EINVAL', why);
  }

  invalidateNested(
    domain: NestedDomain,
    commands: readonly (readonly bigint[])[],
  ): Steps<SoftwareStep, HandledCommands> {
    const uses = this.#uses.ofNested(domain);
    // Without a vIOMMU a guest's ids are the physical ones of the devices that it has.
    const ids: GuestIds = {
      requesterOf: (id) => uses.find(({ requester }) => BigInt(requester) === id)?.requester,
      domainOf: () => domain.id,
    };
    return this.#invalidate({ parent: domain.parent, nested: domain, uses, ids }, commands);
  }

  invalidateVirtual(
    parent: KernelDomain,
    ids: GuestIds,
    commands: readonly (readonly bigint[])[],
  ): Steps<SoftwareStep, HandledCommands> {
    return this.#invalidate({ parent, nested: null, uses: this.#uses.above(parent), ids }, commands);
  }

  *#invalidate(
    target: GuestTarget,
    commands: readonly (readonly bigint[])[],
  ): Steps<SoftwareStep, HandledCommands> {
    const { vendor, submitter, policy } = this.#parts;
    const uses = policy.knowsAtsOfNested ? target.uses : target.uses.map((use) => ({ ...use, ats: false }));
    const accepted = [];
    let handled = 0;
    let refusal: Outcome<null> = done(null);
    for (const words of commands) {
      const translated = vendor.guestCommands({ ...target, uses }, words);
      if (!translated.ok) {
        refusal = translated;
        break;
      }
      const illegal = translated.value.find((command) => submitter.problem(command) !== undefined);
      if (illegal) {
        refusal = refused(
          'EIO',
          `hardware does not take the guest's ${illegal.name}: it has reserved values`,
        );
        break;
      }
      accepted.push(...translated.value);
      handled++;
    }
    const outcome = yield* submitter.run(accepted);
    return outcome.ok ? { handled, outcome: refusal } : { handled: 0, outcome };
  }

  #locked(steps: () => Steps<SoftwareStep, Outcome<null>>): Steps<SoftwareStep, Outcome<null>> {
    return this.#parts.policy.locksTracking ? this.#lock.hold('the domain lock', steps) : steps();
  }
}
