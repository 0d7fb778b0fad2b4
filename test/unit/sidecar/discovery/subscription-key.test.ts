import t from 'tap';
import { SubscriptionKeys, subscriptionKey } from '../../../../sidecar/discovery/subscription-key.ts';

t.test('every form of a name means the same service', t => {
  for (const name of [
    'web',
    'web:80',
    'WEB',
    'web.shop',
    'web.shop:8080',
    'web.shop.mesh',
    'web.shop.svc',
    'web.shop.svc.cluster.local',
    'web.shop.svc.cluster.local.:80',
  ])
    t.equal(subscriptionKey(name, 'shop'), 'web.shop', name);
  t.equal(subscriptionKey('web.other', 'shop'), 'web.other');
  t.end();
});

t.test('an address needs its port', t => {
  t.equal(subscriptionKey('10.0.0.1:80', 'shop'), '10.0.0.1:80');
  t.equal(subscriptionKey('[::1]:80', 'shop'), '[::1]:80');
  t.equal(subscriptionKey('10.0.0.1', 'shop'), undefined);
  t.end();
});

t.test('what cannot be in the mesh is not asked for', t => {
  for (const name of [
    '',
    ':80',
    'www.example.com',
    'a.b.c.d',
    'under_score',
    '-web',
    'web..mesh',
    '[web]:80',
    'web:port',
    'a b',
  ])
    t.equal(subscriptionKey(name, 'shop'), undefined, JSON.stringify(name));
  t.end();
});

t.test('a server outside, as TLS names it, is its own key', t => {
  t.equal(subscriptionKey('sni=api.example.com:443', 'shop'), 'sni=api.example.com:443');
  t.end();
});

t.test('kept keys are the same keys, however many names come', t => {
  const keys = new SubscriptionKeys('shop');
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1_500; i++) t.equal(keys.of(`s${i}:80`), `s${i}.shop`);
    t.equal(keys.of('not a name'), undefined);
  }
  t.end();
});
