/** When the server was away, or sent everybody away: only then may a reading command say so. */
export class Outages {
  readonly #spans: { readonly from: number; to: number }[] = [];

  /** @returns how to say that it is over. */
  begin(): () => void {
    const span = { from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.#spans.push(span);
    return () => {
      span.to = performance.now();
    };
  }

  during(from: number, to: number): boolean {
    return this.#spans.some((span) => span.from <= to && from <= span.to);
  }
}
