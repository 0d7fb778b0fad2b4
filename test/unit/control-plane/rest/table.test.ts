import t from 'tap';
import { NAMESPACE } from '../../../../api/namespace.ts';
import type { Stored } from '../../../../api/object.ts';
import { tableOf, wantsTable } from '../../../../control-plane/rest/table.ts';

const object = (ageMs: number): Stored => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: 'a',
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: new Date(1e12 - ageMs).toISOString(),
  },
});

const age = (ageMs: number): unknown => {
  const table = tableOf(NAMESPACE, [object(ageMs)], {}, 'None', 1e12) as { rows: { cells: unknown[] }[] };
  return table.rows[0]?.cells.at(-1);
};

t.test('ages are written as kubectl writes them', t => {
  const S = 1_000;
  const M = 60 * S;
  const H = 60 * M;
  const D = 24 * H;
  const expected: Readonly<Record<string, number>> = {
    '0s': -5 * S,
    '119s': 119 * S,
    '2m': 2 * M,
    '5m1s': 5 * M + S,
    '10m': 10 * M + S,
    '179m': 179 * M,
    '3h': 3 * H,
    '7h59m': 7 * H + 59 * M,
    '47h': 47 * H,
    '2d': 2 * D,
    '7d23h': 7 * D + 23 * H,
    '400d': 400 * D,
    '2y': 800 * D,
  };
  for (const [text, ms] of Object.entries(expected)) t.equal(age(ms), text);
  t.end();
});

t.test('a row carries what was asked for', t => {
  const row = (form: 'None' | 'Metadata' | 'Object') =>
    (tableOf(NAMESPACE, [object(0)], {}, form, 1e12) as { rows: object[] }).rows[0];
  t.notOk('object' in (row('None') ?? {}));
  t.match(row('Metadata'), { object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } });
  t.match(row('Object'), { object: { kind: 'Namespace' } });
  t.end();
});

t.test('tables are for those who ask for them', t => {
  t.ok(wantsTable('application/json;as=Table;v=v1;g=meta.k8s.io,application/json'));
  t.notOk(wantsTable('application/json;as=Table;v=v1beta1;g=meta.k8s.io'));
  t.notOk(wantsTable('*/*'));
  t.notOk(wantsTable(undefined));
  t.end();
});
