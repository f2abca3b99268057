// Figures as people read them.

/// A duration in seconds, in three figures at most: `320 µs`, `4.2 ms`, `1.25 s`, `3 min 5 s`, `2 h 10 min`.
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  // The bounds are where a figure would be rounded up to the next unit.
  if (size < 0.0009995) return `${figure(seconds * 1e6)} µs`;
  if (size < 0.9995) return `${figure(seconds * 1e3)} ms`;
  if (size < 59.95) return `${figure(seconds)} s`;
  const whole = Math.round(size);
  const sign = seconds < 0 ? "−" : "";
  if (whole < 3600) return sign + twoUnits(whole, 60, "min", 1, "s");
  if (whole < 86400) return sign + twoUnits(whole, 3600, "h", 60, "min");
  return sign + twoUnits(whole, 86400, "d", 3600, "h");
}

/// Seconds of what people write, and of what is shown: `90`, `90s`, `2m`, `1.5h`, `2 min`, `1 h 30 min`; null for anything else.
export function seconds(text) {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|min|h|d)\s*)+$/i.test(text)) return null;
  const sizes = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400 };
  return [...text.matchAll(/([\d.]+)\s*([a-z]+)/gi)].reduce((sum, [, number, unit]) => sum + Number(number) * sizes[unit.toLowerCase()], 0);
}

function twoUnits(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ""}`;
}

/// The same for what counts up or down before one's eyes: no fractions that flicker.
export function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 10 ? `${Math.max(seconds, 0).toFixed(1)} s` : duration(Math.floor(seconds));
}

function figure(value) {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)));
}

export function count(number) {
  return number === null || number === undefined ? "–" : number.toLocaleString("en").replaceAll(",", "\u202f");
}

/// A rate or another small figure: `0.4`, `12.5`, `340`.
export function rate(number) {
  return number === 0 ? "0" : figure(number);
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  if (number < 1024) return `${number} B`;
  let value = number;
  let unit = "B";
  for (unit of ["KiB", "MiB", "GiB", "TiB"]) {
    value /= 1024;
    if (value < 1024) break;
  }
  return `${figure(value)} ${unit}`;
}

/// An amount of a resource.
export function amount(number) {
  return number === null || number === undefined ? "–" : String(Number(number.toFixed(3)));
}

/// What a request needs, without what it does not: `2 cpu · 1 gpu · 8 GB`.
export function needs({ cpus, gpus, memory_gb: memory }) {
  const parts = [cpus && `${amount(cpus)} cpu`, gpus && `${amount(gpus)} gpu`, memory && `${amount(memory)} GB`];
  return parts.filter(Boolean).join(" · ") || "nothing";
}

/// A time of day of this browser's zone; with its day unless that is today.
export function time(text, { milliseconds = false } = {}) {
  if (!text) return "–";
  const date = new Date(text);
  const clock = date.toLocaleTimeString("sv") + (milliseconds ? `.${String(date.getMilliseconds()).padStart(3, "0")}` : "");
  return date.toDateString() === new Date().toDateString() ? clock : `${date.toLocaleDateString("sv")} ${clock}`;
}

/// This browser's zone, which times of day are in: `UTC+1`.
export function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const size = Math.abs(minutes);
  if (size === 0) return "UTC";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${String(size % 60).padStart(2, "0")}` : ""}`;
}

/// A word of the API as people write it: `no_capacity` is `no capacity`.
export function words(name) {
  return (name ?? "").replaceAll("_", " ");
}

/// `1 request`, `2 requests`.
export function plural(number, singular, several = `${singular}s`) {
  return `${count(number)} ${number === 1 ? singular : several}`;
}
