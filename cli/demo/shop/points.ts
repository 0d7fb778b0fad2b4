/** Tier 3, Hessian: points for faithful customers. */
import { endWithStdin } from './end-with-stdin.ts';
import { serveHessian } from './hessian.ts';

let given = 0;

serveHessian(Number(process.env.PORT), (_name, points) => {
  given += points;
  return given;
});
endWithStdin();
