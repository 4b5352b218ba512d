import { type CachedTranslation } from '../iommu/caches/translationCache';

/** Who wrote. */
export type Writer =
  | {
      readonly kind: 'device';
      readonly iommu: string;
      readonly requester: number;
      readonly pasid: number | null;
    }
  | { readonly kind: 'vcpu'; readonly vcpu: number }
  | { readonly kind: 'host'; readonly name: string }
  /** Hardware's own A and D updates of tables in guest memory. */
  | { readonly kind: 'walker'; readonly iommu: string };

/**
 * Hears of every access to memory that counts, when the data lands. Pages and frames are of 4 KiB. `page`: the IOVA page, or
 * guest physical page, that was asked for; `frame`: where it landed; `cached`: the translation it went through, as the IOTLB
 * or a device TLB holds it.
 */
export interface AccessObserver {
  wrote(
    writer: Writer,
    page: number,
    frame: number,
    offset: number,
    length: number,
    cached?: CachedTranslation,
  ): void;
  read(
    reader: Writer,
    page: number,
    frame: number,
    offset: number,
    length: number,
    cached?: CachedTranslation,
  ): void;
}
