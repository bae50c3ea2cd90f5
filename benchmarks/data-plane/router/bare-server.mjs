/**
 * A node:http server without a pipeline: waits for the whole body and answers with the bytes in ANSWER (base64). The
 * overhead of the router is relative to this server.
 */
import { createServer } from 'node:http';

const answer = Buffer.from(process.env.ANSWER ?? '', 'base64');
const headers = { 'content-type': process.env.ANSWER_TYPE ?? 'application/json', 'content-length': answer.length };

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, headers);
    response.end(answer);
  });
});
// As in the router: the default of 5 s would close connections that are about to be reused.
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () => process.stderr.write(`ready http://127.0.0.1:${server.address().port} \n`));
process.once('SIGTERM', () => process.exit(0));
