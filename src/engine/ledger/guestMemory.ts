import { type PageRange } from '../iommu/cacheOperation';

/** A part of a guest's physical memory that lies in one piece of host memory. Pages and frames of 4 KiB. */
export interface GuestRegion extends PageRange {
  readonly startFrame: number;
}

/** Where guest memory is: a write to any other frame is none of the guest's. */
export class GuestMemory {
  readonly #byFrame: readonly GuestRegion[];
  readonly #byPage: readonly GuestRegion[];

  /** Without regions, frames are guest pages. */
  constructor(regions?: readonly GuestRegion[]) {
    const all = regions ?? [{ startPage: 0, endPage: 2 ** 52, startFrame: 0 }];
    this.#byFrame = [...all].sort((one, other) => one.startFrame - other.startFrame);
    this.#byPage = [...all].sort((one, other) => one.startPage - other.startPage);
  }

  /** The guest page that a frame holds; -1: none. */
  pageOf(frame: number): number {
    for (const { startPage, endPage, startFrame } of this.#byFrame) {
      if (frame < startFrame) return -1;
      if (frame - startFrame < endPage - startPage) return startPage + frame - startFrame;
    }
    return -1;
  }

  /** The guest pages that neighbouring frames hold, ascending by frame. */
  pagesOf(frame: number, count: number): PageRange[] {
    return this.#byFrame.flatMap(({ startPage, endPage, startFrame }) => {
      const first = Math.max(frame, startFrame);
      const end = Math.min(frame + count, startFrame + endPage - startPage);
      if (first >= end) return [];
      return [{ startPage: startPage + first - startFrame, endPage: startPage + end - startFrame }];
    });
  }

  /** The frame of a guest page; -1: none. */
  frameOf(page: number): number {
    for (const { startPage, endPage, startFrame } of this.#byPage) {
      if (page < startPage) return -1;
      if (page < endPage) return startFrame + page - startPage;
    }
    return -1;
  }

  /** Ascending by page. */
  get regions(): readonly GuestRegion[] {
    return this.#byPage;
  }
}
