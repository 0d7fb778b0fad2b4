import t from 'tap';
import { isClose } from '../../../common/is-close.ts';

t.test('one letter more, less, other or swapped is close; more is not', async t => {
  for (const typed of ['service', 'servce', 'serviice', 'servize', 'sevrice', 'services', 'ervice'])
    t.ok(isClose('service', typed), typed);
  for (const typed of ['servicess', 'ervce', 'sidecar', '', 'svc']) t.notOk(isClose('service', typed), typed);
});
