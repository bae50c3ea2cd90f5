/** Gray pixels of a line: `height` rows of `rowLength` px, of which the first `width` belong to the line. */
export interface LineImage {
  readonly pixels: Uint8Array;
  readonly rowLength: number;
  readonly width: number;
  readonly height: number;
}

/** An engine that reads lines; confidence in 0…1. */
export interface LineReader {
  read(line: LineImage): Promise<{ readonly text: string; readonly confidence: number }>;
  close(): Promise<void> | void;
}
