import type { FilterView } from '../../api/snapshot.ts';
import type { FieldList, ResponseHead } from '../protocol/head.ts';
import { rewriteResponse, rewriteVolatile } from './rewrite.ts';

/** What filters make of the answers of one backend: each interned head is rewritten once. Owned by its plan. */
export class ResponseRewrite {
  private readonly filters: readonly FilterView[];
  private readonly ofVolatile: ((volatile: FieldList) => FieldList) | undefined;
  private readonly known = new WeakMap<ResponseHead, ResponseHead>();

  private constructor(filters: readonly FilterView[]) {
    this.filters = filters;
    this.ofVolatile = rewriteVolatile(filters, 'ResponseHeaderModifier');
  }

  /** `filters`: in the order in which requests meet them; answers meet them the other way round. Undefined when none changes answers. */
  static of(filters: readonly FilterView[]): ResponseRewrite | undefined {
    if (!filters.some(({ type }) => type === 'ResponseHeaderModifier')) return undefined;
    return new ResponseRewrite(filters.toReversed());
  }

  head(head: ResponseHead): ResponseHead {
    let rewritten = this.known.get(head);
    if (rewritten === undefined) {
      rewritten = rewriteResponse(head, this.filters);
      this.known.set(head, rewritten);
    }
    return rewritten;
  }

  volatile(volatile: FieldList): FieldList {
    return this.ofVolatile === undefined ? volatile : this.ofVolatile(volatile);
  }
}
