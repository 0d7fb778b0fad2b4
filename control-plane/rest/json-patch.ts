/** JSON Patch (RFC 6902) on plain values. */

import { isDeepStrictEqual } from 'node:util';
import { checkShape } from '../../api/parse-document.ts';
import { ApiError } from './status.ts';

/** More changes than anybody writes by hand; each `copy` can double the document. */
const MAX_OPERATIONS = 1_000;

type Container = Record<string, unknown> | unknown[];

/** The patched copy. @throws ApiError that names the operation. */
export const applyJsonPatch = (document: object, patch: unknown): object => {
  if (!Array.isArray(patch)) throw new ApiError('BadRequest', 'a JSON patch must be a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw new ApiError(
      'BadRequest',
      `a JSON patch must have at most ${MAX_OPERATIONS} operations, not ${patch.length}`,
    );
  const root = { '': structuredClone(document) as unknown };
  for (const [i, operation] of patch.entries()) applyOperation(root, operation as Record<string, unknown>, i);
  const result = root[''];
  if (typeof result !== 'object' || result === null || Array.isArray(result))
    throw new ApiError('BadRequest', 'the JSON patch must leave an object');
  return result;
};

const applyOperation = (root: { '': unknown }, operation: Record<string, unknown>, i: number): void => {
  const fail = (why: string) => new ApiError('Invalid', `JSON patch: operation ${i}: ${why}`);
  if (typeof operation !== 'object' || operation === null) throw fail('must be an object');
  const steps = (member: 'path' | 'from') => {
    const pointer = operation[member];
    if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/')))
      throw fail(`"${member}" must be a JSON pointer such as "/spec/rules/0"`);
    return [
      '',
      ...pointer
        .split('/')
        .slice(1)
        .map(token => token.replaceAll('~1', '/').replaceAll('~0', '~')),
    ];
  };
  const read = (pointer: readonly string[]) => {
    const value = pointer.reduce<unknown>((at, step) => member(at, step), root);
    if (value === undefined) throw fail(`there is nothing at "${pointer.join('/')}"`);
    return value;
  };
  const remove = (pointer: readonly string[]) => {
    read(pointer);
    const parent = read(pointer.slice(0, -1)) as Container;
    const last = pointer.at(-1)!;
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
  };
  const add = (pointer: readonly string[], value: unknown, replace: boolean) => {
    const parent: unknown = pointer.length === 1 ? root : read(pointer.slice(0, -1));
    const last = pointer.at(-1)!;
    if (last === '__proto__') throw fail('the name "__proto__" is not allowed');
    if (Array.isArray(parent)) {
      const index = last === '-' ? parent.length : Number(last);
      if (!/^(0|[1-9]\d*|-)$/.test(last) || index > parent.length)
        throw fail(`"${last}" must be an index of the list, at most ${parent.length}`);
      parent.splice(index, replace ? 1 : 0, value);
    } else if (typeof parent === 'object' && parent !== null) (parent as Record<string, unknown>)[last] = value;
    else throw fail('the path must lead into an object or a list');
  };
  switch (operation.op) {
    case 'test':
      if (!isDeepStrictEqual(read(steps('path')), operation.value))
        throw fail(`the test failed at "${String(operation.path)}"`);
      break;
    case 'remove':
      if (steps('path').length === 1) throw fail('the whole document cannot be removed');
      remove(steps('path'));
      break;
    case 'add':
    case 'replace':
      if (operation.value === undefined) throw fail('"value" must be set');
      if (operation.op === 'replace') read(steps('path'));
      add(steps('path'), structuredClone(operation.value), operation.op === 'replace');
      break;
    case 'copy':
      add(steps('path'), structuredClone(read(steps('from'))), false);
      checkShape(root['']);
      break;
    case 'move': {
      const value = read(steps('from'));
      remove(steps('from'));
      add(steps('path'), value, false);
      break;
    }
    default:
      throw fail('"op" must be one of add, remove, replace, move, copy, test');
  }
};

const member = (value: unknown, step: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<string, unknown>)[step]
    : undefined;
