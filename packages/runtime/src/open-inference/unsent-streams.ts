/**
 * Answers over HTTP/2 and gRPC that have not left the process to their end. The streams of a connection share its link, so whether its client
 * takes anything shows in the connection: a stream waits for its turn as long as that goes on. One that its client holds back while it takes
 * others has no turn, and may wait as many times as long as there are answers to wait for.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';

/** What a client has to take of its connection in the time that it may take nothing; what keeps a connection alive is less. */
const LEAST_BYTES = 64 * 1024;

const connections = new WeakMap<ServerHttp2Session, UnsentStreams>();

/**
 * From now on, while the answer of a stream is being written, its client may take less than 64 KiB of the connection for `patienceMs`, and at
 * most for twice as long; nothing of the stream that shows for that time, once for each answer on the connection and twice more. A connection
 * that the system cannot write to is closed with all of its streams.
 */
export function cutOffUnlessTaken(stream: ServerHttp2Stream, patienceMs: number): void {
  const { session } = stream as { readonly session: ServerHttp2Session | undefined };
  if (session === undefined || session.destroyed || stream.destroyed) return;
  let connection = connections.get(session);
  if (connection === undefined) {
    connection = new UnsentStreams(session, patienceMs);
    connections.set(session, connection);
  }
  connection.add(stream);
}

/** How long an answer has waited, in looks, since something of it left, and how many were on its connection at most. */
interface Waiting {
  looks: number;
  most: number;
}

/** Those of one connection. */
class UnsentStreams {
  readonly #session: ServerHttp2Session;
  readonly #patienceMs: number;
  readonly #waiting = new Map<ServerHttp2Stream, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #taken = 0;

  constructor(session: ServerHttp2Session, patienceMs: number) {
    this.#session = session;
    this.#patienceMs = patienceMs;
    session.once('close', () => clearTimeout(this.#timer));
  }

  add(stream: ServerHttp2Stream): void {
    const waiting: Waiting = { looks: 0, most: 1 };
    this.#waiting.set(stream, waiting);
    stream.on('drain', () => {
      waiting.looks = 0;
    });
    stream.once('close', () => this.#waiting.delete(stream));
    // One timer for all that comes and goes; it stops itself.
    if (this.#timer !== undefined) return;
    this.#taken = linkOf(this.#session).taken;
    this.#timer = setTimeout(() => this.#look(), this.#patienceMs).unref();
  }

  #look(): void {
    if (this.#waiting.size === 0 || this.#session.destroyed) {
      this.#timer = undefined;
      return;
    }
    const { taken, held } = linkOf(this.#session);
    const isTaking = taken - this.#taken >= LEAST_BYTES;
    this.#taken = taken;
    for (const [stream, waiting] of this.#waiting) {
      waiting.looks++;
      waiting.most = Math.max(waiting.most, this.#waiting.size);
      // Before its first look it has waited for a part of the time.
      const isOver = isTaking ? waiting.looks > waiting.most + 1 : waiting.looks > 1;
      if (!isOver) continue;
      // What has been handed over to the connection goes with the connection alone.
      if (!isTaking && held > 0) {
        closeAtOnce(this.#session);
        return;
      }
      stream.close(constants.NGHTTP2_CANCEL);
    }
    this.#timer?.refresh();
  }
}

/**
 * How many bytes the system has taken of a connection, and how many wait for that. What Node hands over at once may be as much as the windows of
 * the client allow, and says nothing until all of it has left; how much of it waits only the handle knows, under TLS that of the connection
 * beneath.
 */
function linkOf({ socket }: ServerHttp2Session): { readonly taken: number; readonly held: number } {
  const { _parent: beneath } = socket as { readonly _parent?: Socket | null };
  const link = (beneath ?? socket) as Pick<Socket, 'bytesWritten'> & { readonly _handle?: { writeQueueSize?: number } };
  const held = link._handle?.writeQueueSize ?? 0;
  return { taken: link.bytesWritten - held, held };
}

/** Closes a connection with what waits to be written, which a session of HTTP/2 that is destroyed waits for. */
function closeAtOnce({ socket }: ServerHttp2Session): void {
  Socket.prototype.destroy.call(socket);
}
