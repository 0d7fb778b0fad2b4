import t from 'tap';
import { Readiness } from '../../../../sidecar/admin/readiness.ts';

t.test('it is ready when every condition holds, and says which do not', t => {
  const readiness = new Readiness();
  readiness.require('certificate', 'No certificate yet.');
  readiness.require('snapshot', 'No snapshot yet.');
  t.same(readiness.state(), { ready: false, reasons: ['No certificate yet.', 'No snapshot yet.'] });
  readiness.meet('certificate');
  t.same(readiness.state(), { ready: false, reasons: ['No snapshot yet.'] });
  readiness.meet('snapshot');
  t.same(readiness.state(), { ready: true, reasons: [] });
  t.end();
});

t.test('a condition can break again, with another reason', t => {
  const readiness = new Readiness();
  readiness.require('certificate', 'No certificate yet.');
  readiness.meet('certificate');
  readiness.require('certificate', 'The certificate has expired.');
  t.same(readiness.state(), { ready: false, reasons: ['The certificate has expired.'] });
  t.end();
});
