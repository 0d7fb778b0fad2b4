import t from 'tap';
import { LAST_APPLIED, lastApplied, threeWayPatch, withLastApplied } from '../../../cli/apply-patch.ts';

t.test('a patch sets what the file says and removes what it no longer says', t => {
  const last = { a: 1, b: { c: 1, d: 1 }, list: [1] };
  const wanted = { a: 2, b: { c: 1 }, list: [1, 2] };
  const present = { a: 1, b: { c: 1, d: 1, others: 1 }, list: [1], others: 1 };
  t.same(threeWayPatch(last, wanted, present), { a: 2, b: { d: null }, list: [1, 2] });
  t.same(threeWayPatch(wanted, wanted, wanted), {});
  t.same(threeWayPatch({ gone: 1 }, {}, {}), {}, 'what is gone already needs no removal');
  t.same(threeWayPatch({}, { a: { b: 1 } }, {}), { a: { b: 1 } });
  t.end();
});

t.test('the file is kept in the annotation that kubectl uses', t => {
  const object = withLastApplied({
    kind: 'Service',
    metadata: { name: 'a', annotations: { x: 'y', [LAST_APPLIED]: 'old' } },
  });
  t.same(lastApplied(object), { kind: 'Service', metadata: { name: 'a', annotations: { x: 'y' } } });
  t.same(lastApplied({ metadata: {} }), {});
  t.same(lastApplied({ metadata: { annotations: { [LAST_APPLIED]: '{' } } }), {});
  t.end();
});
