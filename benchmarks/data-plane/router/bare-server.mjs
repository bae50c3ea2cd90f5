/**
 * What a server on node:http costs without a pipeline: it reads the whole body and answers with the bytes that it got as `answer` (base64,
 * in the environment). It is what the overhead of the router is counted from.
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
// As long as the router keeps them: the default of 5 s closes connections just when they are used again.
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () => process.stderr.write(`ready http://127.0.0.1:${server.address().port} \n`));
process.once('SIGTERM', () => process.exit(0));
