import t from 'tap';
import { parseFieldSelector, parseLabelSelector } from '../../../../control-plane/rest/selectors.ts';

const LABELS = { app: 'web', 'example.com/tier': 'front', empty: '' };

t.test('label selectors select as in Kubernetes', t => {
  const yes = [
    'app=web',
    'app==web',
    'app',
    '!other',
    'app!=api',
    'other!=x',
    'app in (web, api)',
    'app notin (api)',
    'other notin (a)',
    'example.com/tier=front,app=web',
    'empty=',
    'app in (web),empty',
  ];
  const no = [
    'app=api',
    '!app',
    'other',
    'app!=web',
    'app in (api)',
    'app notin (web,api)',
    'other in (a)',
    'app=web,other',
    'other=',
  ];
  for (const text of yes) t.equal(parseLabelSelector(text)?.(LABELS), true, text);
  for (const text of no) t.equal(parseLabelSelector(text)?.(LABELS), false, text);
  t.equal(parseLabelSelector(''), undefined);
  t.equal(parseLabelSelector(undefined), undefined);
  for (const text of ['a b', 'a=b=c', 'in (a)', 'a in b', ',', 'a,,b'])
    t.throws(() => parseLabelSelector(text), { message: /must be like/ }, text);
  t.end();
});

t.test('field selectors know name and namespace', t => {
  t.same(parseFieldSelector('metadata.name=a,metadata.namespace==b'), { name: 'a', namespace: 'b' });
  t.same(parseFieldSelector(undefined), {});
  t.throws(() => parseFieldSelector('status.phase=x'), { message: /metadata.name=NAME/ });
  t.end();
});
