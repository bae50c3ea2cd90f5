import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AppError, type ErrorCode, errorCodes } from '@equipoise/core/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { askAdmin, pipelineNamed } from './admin-client.js';

const opened: Server[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of opened.splice(0)) server.close();
});

interface Played {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Plays answers in turn; the last one repeats. */
async function playing(answers: readonly Played[]) {
  const heard: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { status, headers, text } = answers[Math.min(heard.length, answers.length - 1)] as Played;
    heard.push(request.url);
    response.writeHead(status, headers).end(text);
  });
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { heard, admin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const refused = (code: ErrorCode, error: string, details: object): Played => ({
  status: errorCodes[code].httpStatus,
  text: JSON.stringify({ error, code, details }),
});
const limited = (retryAfterMs: number) => refused('RATE_LIMITED', 'too many requests', { retryAfterMs });
const fine: Played = { status: 200, text: '{"pipelines":[]}' };

describe('askAdmin', () => {
  it.each([
    ['UNAUTHENTICATED', 401],
    ['FORBIDDEN', 403],
    ['NOT_FOUND', 404],
    ['CONFLICT', 409],
    ['INVALID_FIELDS', 422],
  ] as const)('rejects with the error of the server: %s', async (code, status) => {
    const { admin, heard } = await playing([refused(code, 'the reason', { field: 'x' })]);
    const error = await askAdmin({ admin }, '/admin/pipelines').catch((found: unknown) => found as AppError);
    expect(error).toMatchObject({ code, details: { field: 'x' } });
    expect((error as AppError).message).toBe(`${admin}/admin/pipelines answers ${status}: the reason`);
    expect(heard).toHaveLength(1);
  });

  it('sends the request once more after the wait that the server asks for', async () => {
    const { admin, heard } = await playing([limited(1), fine]);
    expect(await askAdmin({ admin }, '/admin/pipelines')).toEqual({ pipelines: [] });
    expect(heard).toHaveLength(2);
    const proxied = await playing([{ status: 503, headers: { 'retry-after': '0' }, text: '<html>' }, fine]);
    expect(await askAdmin(proxied, '/admin/pipelines')).toEqual({ pipelines: [] });
  });

  it('sends it no third time, and does not wait long', async () => {
    const { admin, heard } = await playing([limited(1)]);
    await expect(askAdmin({ admin }, '/x')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(heard).toHaveLength(2);
    const later = await playing([limited(3_600_000)]);
    await expect(askAdmin(later, '/x')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(later.heard).toHaveLength(1);
  });

  it.each([
    [404, '<html>no page</html>', 'NOT_FOUND'],
    [500, '[]', 'WRONG_USAGE'],
    [400, '{"error":{"message":"x"},"code":"OTHER","details":7}', 'WRONG_USAGE'],
  ])('names an answer %s of another program', async (status, text, code) => {
    const { admin } = await playing([{ status, text }]);
    const message = expect.stringContaining('this server has no such address');
    await expect(askAdmin({ admin }, '/x')).rejects.toMatchObject({ code, message });
  });

  it('tells a port that is late from one that is not there', async () => {
    const { admin } = await playing([fine]);
    const late = new DOMException('late', 'TimeoutError');
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(late));
    await expect(askAdmin({ admin }, '/x')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(`${admin} did not answer within 15 s`),
    });
  });

  it('says that a port is not the admin port', async () => {
    const notFound = (paths: readonly string[]) => playing([refused('NOT_FOUND', 'There is no such path', { paths })]);
    const serving = await notFound(['GET /v2', 'POST /v2/models/{model}/infer']);
    const message = `${serving.admin} is another port of a server, such as the one for requests. Name the admin port`;
    await expect(askAdmin(serving, '/admin/pipelines')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(message),
    });
    const older = await notFound(['GET /admin/pipelines']);
    await expect(askAdmin(older, '/admin/new')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each(['<html>', 'null', '7', ''])('names an answer 200 of another program: %j', async (text) => {
    const { admin } = await playing([{ status: 200, text }]);
    const message = expect.stringContaining('does not answer as an admin port');
    await expect(askAdmin({ admin }, '/x')).rejects.toMatchObject({ code: 'UNREACHABLE', message });
  });
});

describe('pipelineNamed', () => {
  it.each([
    ['{}', 'does not answer as an admin port'],
    ['{"pipelines":[]}', 'has no pipelines yet'],
    ['{"pipelines":[{"name":"a"},{"name":"b"}]}', 'name one of a, b'],
  ])('tells why there is no single pipeline in %s', async (text, message) => {
    const { admin } = await playing([{ status: 200, text }]);
    await expect(pipelineNamed({ admin }, undefined)).rejects.toThrow(message);
  });
});
