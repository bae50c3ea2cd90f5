import { afterEach, describe, expect, it, vi } from 'vitest';
import { AdminClient } from './admin-client.js';

afterEach(() => void vi.unstubAllGlobals());

/** A client of a server with these answers, one for each call; `undefined` is none. */
function clientOf(...answers: readonly (Response | undefined)[]) {
  const shown: (string | null)[] = [];
  const refused: (string | undefined)[] = [];
  const left = [...answers];
  vi.stubGlobal('fetch', async (_: string, { headers }: RequestInit) => {
    shown.push(new Headers(headers).get('authorization'));
    const next = left.shift();
    if (next === undefined) throw new TypeError('Failed to fetch');
    return next;
  });
  const state = { token: undefined as string | undefined, mayAsk: true };
  const client = new AdminClient({
    token: () => state.token,
    mayAsk: () => state.mayAsk,
    onUnauthenticated: (token) => refused.push(token),
  });
  return { client, shown, refused, state };
}

const json = (status: number, document: object) => new Response(JSON.stringify(document), { status });

describe('the client of the admin API', () => {
  it('gives answers and failures as values', async () => {
    const gone = { error: 'No pipeline of this name is served; served: p.' };
    const { client } = clientOf(json(200, { name: 'p' }), json(404, gone), undefined);
    expect(await client.get('/admin')).toEqual({ ok: true, value: { name: 'p' } });
    expect(await client.get('/admin')).toMatchObject({ failure: { kind: 'not-found', isRoute: false } });
    expect(await client.get('/admin')).toEqual({ ok: false, failure: { kind: 'unreachable' } });
  });

  it.each([
    [200, '<h1>Sign in</h1>', { kind: 'refused', status: 200 }],
    [502, '<h1>Bad gateway</h1>', { kind: 'refused', status: 502 }],
    [401, '', { kind: 'unauthenticated' }],
  ])('tells an answer of a proxy (status %d) from one of the server', async (status, body, failure) => {
    const { client, refused } = clientOf(new Response(body, { status }));
    expect(await client.get('/admin')).toMatchObject({ ok: false, failure });
    expect(refused).toHaveLength(status === 401 ? 1 : 0);
  });

  it('reports a refused token, and asks nothing more until there is another', async () => {
    const { client, shown, refused, state } = clientOf(json(401, {}), json(200, {}));
    state.token = 'old';
    expect(await client.get('/admin')).toEqual({ ok: false, failure: { kind: 'unauthenticated' } });
    expect(refused).toEqual(['old']);
    state.mayAsk = false;
    expect(await client.post('/admin', {})).toEqual({ ok: false, failure: { kind: 'unauthenticated' } });
    expect(await client.stream('/admin/events', new AbortController().signal)).toBeUndefined();
    Object.assign(state, { token: 'new', mayAsk: true });
    expect(await client.get('/admin')).toMatchObject({ ok: true });
    expect(shown).toEqual(['Bearer old', 'Bearer new']);
  });
});
