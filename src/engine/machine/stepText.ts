import { type MachineStep } from './runner';

/** What a step is called where operations name steps: `clear the leaf`, `submit IOTLB_INV`, `fill iotlb`, `read stage 2 depth 1`. */
export function stepText(step: MachineStep): string {
  switch (step.kind) {
    case 'fetch':
      return `fetch ${step.role}`;
    case 'lookup':
      return `lookup ${step.cache} ${step.hit ? 'hit' : 'miss'}`;
    case 'update':
      return `update stage ${step.stage} depth ${step.depth}`;
    case 'fill':
    case 'evict':
      return `${step.kind} ${step.cache}`;
    case 'access':
      return step.write ? 'access write' : 'access read';
    case 'fault':
      return `fault ${step.fault}`;
    case 'command':
      return `command ${step.name}`;
    case 'submit':
      return `submit ${step.command}`;
    case 'read':
      return 'name' in step ? step.name : `read stage ${step.stage} depth ${step.depth}`;
    default:
      return step.name;
  }
}
