import { assert } from '../../result';
import { done, refused, type Outcome } from '../errno';

/** What has an id in an iommufd context. `users`: of others that hold it, so that it cannot be destroyed. */
export interface IommufdObject {
  readonly kind: string;
  readonly id: number;
  users: number;
}

/** Ids of objects. They are never given twice, so that a stale one is told as such. */
export class ObjectTable<T extends IommufdObject> {
  readonly #objects = new Map<number, T>();
  #next = 1;

  /** The id that the next object takes. */
  nextId(): number {
    return this.#next++;
  }

  add(object: T): void {
    this.#objects.set(object.id, object);
  }

  remove(object: T): void {
    assert(object.users === 0, `object ${object.id} has no users`);
    this.#objects.delete(object.id);
  }

  any(id: number): T | undefined {
    return this.#objects.get(id);
  }

  /** The object of a kind; ENOENT when there is none of that id, or it is another kind. */
  get<K extends T['kind']>(id: number, kind: K): Outcome<Extract<T, { readonly kind: K }>> {
    const found = this.#objects.get(id);
    const isKind = (object: T): object is Extract<T, { readonly kind: K }> => object.kind === kind;
    if (found && isKind(found)) return done(found);
    return refused('ENOENT', found ? `object ${id} is a ${found.kind}, not a ${kind}` : `no object ${id}`);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }
}
