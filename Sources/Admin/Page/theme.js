// Light or dark, before the first paint: hence a plain script, loaded ahead of the modules. `auto` follows the system.
(() => {
  const names = ["auto", "light", "dark"];
  const root = document.documentElement;
  const read = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const keep = (name) => { try { localStorage.setItem("theme", name); } catch { /* Storage is off: it lasts as long as the page. */ } };

  root.dataset.theme = names.includes(read()) ? read() : "auto";
  window.nextTheme = () => {
    root.dataset.theme = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
    keep(root.dataset.theme);
    return root.dataset.theme;
  };
})();
