/** The independently built images, opened as raw memory. */
import { type EngineClient } from '../../../src/inspection/protocol';
import { type BuiltImage } from '../../builders/built';

const FRAME = 4096;

/** What the other bytes of a file cannot say: a frame beyond what a file may describe is left out. */
export async function openBuiltImage(client: EngineClient, image: BuiltImage, inspection = image.name) {
  const frames = [...image.frames].filter(([frame]) => frame < 2 ** 40);
  const bytes = new Uint8Array(frames.length * FRAME);
  frames.forEach(([, words], index) => {
    bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), index * FRAME);
  });
  const segments = frames.map(([frame], index) => ({
    paddr: hex(frame * FRAME),
    offset: index * FRAME,
    length: FRAME,
  }));
  const registers = Object.fromEntries(
    Object.entries(image.registers).map(([name, value]) => [name, hex(value)]),
  );
  return client.request('open', {
    inspection,
    description: JSON.stringify({
      version: 1,
      image: { file: 'built.raw', segments },
      iommus: [{ name: 'iommu0', kind: image.kind, segment: 0, registers }],
    }),
    image: { kind: 'bytes', name: 'built.raw', bytes },
  });
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
