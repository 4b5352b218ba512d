import { type MemoryImage } from '../image/memoryImage';

/** The memory of a source: of an image, or of an emulated machine. */
export type SourceMemory = Pick<
  MemoryImage,
  | 'name'
  | 'bytesHeld'
  | 'segments'
  | 'highestAddress'
  | 'generation'
  | 'readFrame'
  | 'explainMissing'
  | 'ranges'
  | 'close'
> & { readonly knows?: NonNullable<MemoryImage['knows']> };
