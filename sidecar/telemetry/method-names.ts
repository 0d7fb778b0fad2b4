import { OTHER_METHOD } from './labels.ts';

/** Method names per destination service. Further ones are counted as `other`. */
export const MAX_METHODS_PER_SERVICE = 200;

/** Printable ASCII of a sane length; a Thrift name may be any bytes. */
const PLAIN = /^[\x21-\x7e]{1,128}$/;

/**
 * Decides which method names become label values, the only ones that come from a request: those that an app has answered to, so that a
 * scanner cannot fill the registry, and at most 200 per service. Owned by `Metrics`; lives as long as it.
 */
export class MethodNames {
  private byService = new Map<string, Set<string>>();

  /** The label value for `method`: itself when it is admitted, or is `real` and there is room; else `other`; '' stays ''. */
  admit(service: string, method: string, real: boolean): string {
    if (method === '') return '';
    const names = this.byService.get(service);
    if (names?.has(method)) return method;
    if (!real || !PLAIN.test(method) || (names !== undefined && names.size >= MAX_METHODS_PER_SERVICE))
      return OTHER_METHOD;
    this.add(service, method);
    return method;
  }

  /** Forgets all but these: the names that series still carry. */
  retain(inUse: Iterable<{ readonly service: string; readonly method: string }>): void {
    this.byService = new Map();
    for (const { service, method } of inUse) if (method !== '' && method !== OTHER_METHOD) this.add(service, method);
  }

  private add(service: string, method: string): void {
    const names = this.byService.get(service);
    if (names === undefined) this.byService.set(service, new Set([method]));
    else names.add(method);
  }
}
