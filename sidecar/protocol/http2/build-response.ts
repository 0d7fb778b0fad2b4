import { ResponseHead } from '../head.ts';
import type { HeadBuilder } from './decode-head.ts';
import { FieldIntern } from './field-intern.ts';
import { allowedInResponse, FieldSorter } from './sort-fields.ts';

const STATUS = /^[1-5][0-9]{2}$/;

/** Builds response heads from decoded lists. `trusted`: from another sidecar. Owned by its connection. */
export class ResponseBuilder implements HeadBuilder<ResponseHead> {
  readonly allowed;
  readonly tailsRepeat = true;
  private readonly trusted: boolean;
  private readonly fields = new FieldIntern();

  constructor(trusted: boolean) {
    this.trusted = trusted;
    this.allowed = allowedInResponse(trusted);
  }

  build(list: readonly string[], volatile: string[]): ResponseHead | string {
    if (list[0] !== ':status' || !STATUS.test(list[1] as string)) return 'status';
    const { trusted } = this;
    const sorter = new FieldSorter(volatile, this.allowed);
    let flag = '';
    let notProcessed = false;
    for (let at = 2; at < list.length; at += 2) {
      const name = list[at] as string;
      const value = list[at + 1] as string;
      if (trusted && name === 'outrider-processed') {
        notProcessed = value === 'no';
        continue;
      }
      if (trusted && name === 'x-outrider-flag') flag = value;
      const problem = sorter.add(name, value);
      if (problem !== '') return problem;
    }
    const mesh = flag === '' ? undefined : { flag, notProcessed };
    return new ResponseHead(Number(list[1]), this.fields.get(sorter.list(), sorter.shape), mesh);
  }
}
