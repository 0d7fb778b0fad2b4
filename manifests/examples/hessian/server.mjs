/** A bank over Hessian 2: each method by its name, with the arguments of the call. */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fault, read, reply, TYPE } from './envelope.mjs';

const cents = new Map([
  ['ann', 1200],
  ['ben', 50],
  ['cat', 7],
]);
const bookings = Array.from({ length: 12 }, (_, i) => `booking ${i + 1}`);

const methods = {
  balance: name => cents.get(name),
  deposit: (name, amount) => cents.set(name, cents.get(name) + amount).get(name),
  statement: (first, most) => bookings.slice(first, first + most),
  audit: () => pause(10_000),
};

const answer = async request => {
  const { next } = read(await buffer(request));
  const [method, count] = [next(), next()];
  const args = Array.from({ length: count }, next);
  if (!Object.hasOwn(methods, method)) return fault('NoSuchMethodException', `no method ${method}`);
  return reply(await methods[method](...args));
};

createServer((request, response) => {
  response.setHeader('content-type', TYPE);
  void answer(request)
    .catch(error => fault('ServiceException', String(error)))
    .then(bytes => response.end(bytes));
}).listen(Number(process.argv[2]), '127.0.0.1');
