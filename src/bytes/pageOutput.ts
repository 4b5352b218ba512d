/** What an LZ77 decoder writes into: literals and copies of what was written before, never outside the page. */
export class PageOutput {
  private at = 0;

  constructor(private readonly page: Uint8Array) {}

  /** Appends `count` bytes of `input` from `start` on. */
  literals(input: Uint8Array, start: number, count: number): void {
    if (start + count > input.length) throw new Error('the data end in the middle');
    this.checkRoom(count);
    for (let i = 0; i < count; i++) this.page[this.at++] = input[start + i] ?? 0;
  }

  /** Appends `count` times the same byte. */
  fill(byte: number, count: number): void {
    this.checkRoom(count);
    this.page.fill(byte, this.at, this.at + count);
    this.at += count;
  }

  /** Appends `count` bytes that begin `distance` bytes back; they may be among those that the copy itself writes. */
  copy(distance: number, count: number): void {
    if (distance === 0 || distance > this.at) {
      throw new Error(`a copy reaches ${distance} bytes back, where ${this.at} were written`);
    }
    this.checkRoom(count);
    const { page } = this;
    for (let i = 0; i < count; i++, this.at++) page[this.at] = page[this.at - distance] ?? 0;
  }

  /** Checks that the page is full. */
  end(): void {
    if (this.at !== this.page.length) {
      throw new Error(`they give ${this.at} bytes of a page of ${this.page.length}`);
    }
  }

  private checkRoom(count: number): void {
    if (this.at + count > this.page.length) {
      throw new Error(`they give more than the ${this.page.length} bytes of a page`);
    }
  }
}
