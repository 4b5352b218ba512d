import { type DriverFaultRule } from '../driverFaults';
import { type BitmapFault } from './dirtyBitmap';

/** Real bugs of the writer of dirty bitmaps, which iommufd can be given: what each leaves out, and where it stood. */
export const BITMAP_FAULTS: readonly (DriverFaultRule & { readonly id: BitmapFault })[] = [
  {
    id: 'window-drop',
    leavesOut: 'Bits of a leaf beyond the window of the bitmap that is pinned are dropped.',
    source: 'Linux 2780025e01e2, iommufd/iova_bitmap: Handle recording beyond the mapped pages',
  },
  {
    id: 'window-overrun',
    leavesOut: 'Bits of a leaf beyond the window of the bitmap that is pinned are written past its pages.',
    source: 'Linux a4ab7dedaee0, iommufd/iova_bitmap: Bounds check mapped::pages access',
  },
  {
    id: 'set-ahead',
    leavesOut: 'Of a leaf longer than two windows of the bitmap the third window gets nothing.',
    source: 'Linux 53e6b65693b6 and 7a7bba16244a: the iterator over windows is removed',
  },
  {
    id: 'word-pointer',
    leavesOut: 'The address of the bitmap is taken for that of 64-bit words.',
    source: 'Linux d18411ec3057, iommufd/iova_bitmap: Switch iova_bitmap::bitmap to an u8 array',
  },
  {
    id: 'page-offset',
    leavesOut: 'Pages of the bitmap are pinned as if it began at the start of one.',
    source: 'Linux iommufd, 6.8-rc: the offset in the first page is left out when pages are pinned',
  },
];
