/** Memoizes by object: the result is made once for each argument and forgotten with it. */
export function oncePer<Source extends object, Made>(
  make: (source: Source) => Made,
): (source: Source) => Made {
  const made = new WeakMap<Source, { readonly one: Made }>();
  return (source) => {
    const kept = made.get(source) ?? { one: make(source) };
    made.set(source, kept);
    return kept.one;
  };
}
