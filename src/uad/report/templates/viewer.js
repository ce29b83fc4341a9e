// Three planes of the volumes of a page. Volumes are mosaics of axial slices in LPS order (mosaic.py):
// x to the patient's left, y to the back, z up. Shown as radiologists do, the patient's right on the
// reader's left. A map is decoded when it is first shown.
(async () => {
  const about = JSON.parse(document.getElementById("volumes").textContent);
  const [nx, ny, nz] = about.shape, sizes = about.shape, at = [...about.start];
  const $ = (id) => document.getElementById(id);
  const read = async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height).data;
    const values = new Uint8Array(nx * ny * nz);
    for (let z = 0; z < nz; z++) {
      const left = (z % about.columns) * nx, top = Math.floor(z / about.columns) * ny;
      for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++)
        values[(z * ny + y) * nx + x] = pixels[4 * ((top + y) * image.width + left + x)];
    }
    return values;
  };
  const cache = {};
  const volume = (url) => (cache[url] ??= read(url));
  const value = (of, p) => of[(p[2] * ny + p[1]) * nx + p[0]];
  // Plane: the axis it is across, and the axes to the right and downwards (z is turned over).
  const planes = [[2, 0, 1], [1, 0, 2], [0, 1, 2]];
  const canvases = [...document.querySelectorAll(".planes canvas")];
  const sliders = [...document.querySelectorAll(".planes input")];
  const numbers = [...document.querySelectorAll(".planes figcaption span")];
  const chosen = $("map"), base = $("base"), opacity = $("opacity"), threshold = $("threshold");
  const contour = $("contour"), outlined = $("outlined"), found = $("found"), flicker = $("flicker");
  const lesion = about.lesion && await volume(about.lesion);
  let map, scores, grey, cut, timer;

  const coloured = (level, score, share) => {
    const mix = share * Math.min(1, score / 255 * 1.5);
    return [level + mix * (255 - level), level + mix * (score * 0.8 - level), level * (1 - mix)];
  };
  const edge = (inside, i, j) => inside(i, j) &&
    !(inside(i - 1, j) && inside(i + 1, j) && inside(i, j - 1) && inside(i, j + 1));

  const draw = () => planes.forEach(([across, right, down], k) => {
    const w = sizes[right], h = sizes[down], canvas = canvases[k];
    canvas.width = w;
    canvas.height = h;
    sliders[k].max = sizes[across] - 1;
    sliders[k].value = at[across];
    numbers[k].textContent = `${at[across] + 1} of ${sizes[across]}`;
    const context = canvas.getContext("2d"), pixels = context.createImageData(w, h);
    const p = [0, 0, 0], q = [0, 0, 0];
    p[across] = q[across] = at[across];
    const test = (of, least) => (i, j) => {
      if (i < 0 || j < 0 || i >= w || j >= h) return false;
      q[right] = i;
      q[down] = j;
      return value(of, q) > least;
    };
    const above = test(scores, 255 * cut), ill = lesion ? test(lesion, 127) : () => false;
    for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) {
      p[right] = i;
      p[down] = j;
      let colour = coloured(value(grey, p), value(scores, p), opacity.value / 100);
      if (found?.checked && (above(i, j) || ill(i, j)))
        colour = !ill(i, j) ? [230, 159, 0] : above(i, j) ? [255, 255, 255] : [86, 180, 233];
      else if (contour.checked && edge(above, i, j)) colour = [240, 90, 240];
      if (outlined?.checked && edge(ill, i, j)) colour = [0, 230, 118];
      const row = down === 2 ? h - 1 - j : j;
      if (i === at[right] || j === at[down]) colour = colour.map((c) => c * 0.85 + 25);
      pixels.data.set([...colour, 255], 4 * (row * w + i));
    }
    context.putImageData(pixels, 0, 0);
  });

  // The threshold: steps are denser where scores are low; Dice is of the scores themselves.
  const text = (x) => Number(x.toPrecision(3)).toString();
  const say = (score, dice) => {
    cut = score / map.peak;
    const of = dice === undefined || dice === null ? "" : `, Dice of the volume ${dice.toFixed(3)}`;
    $("at").textContent = text(score) + of;
  };
  const step = () => {
    const n = Number(threshold.value);
    say(map.peak * (n / 100) ** 2, map.dice?.[n]);
  };
  const go = ({ value, dice }) => {
    threshold.value = Math.round(100 * Math.sqrt(Math.min(1, value / map.peak)));
    say(value, dice);
  };
  const show = async () => {
    map = about.maps[chosen ? chosen.value : 0];
    [scores, grey] = await Promise.all([volume(map.url), volume(about.pictures[base.value].url)]);
    draw();
  };
  const turn = async () => {
    map = about.maps[chosen ? chosen.value : 0];
    if (map.picture && base.value !== "scan") base.value = map.picture;
    $("peak").textContent = text(map.peak);
    $("cuts").replaceChildren(...map.cuts.map((one) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = one.name;
      button.onclick = () => { go(one); draw(); };
      return button;
    }));
    if (map.cuts.length) go(map.cuts[0]); else step();
    await show();
  };

  canvases.forEach((canvas, k) => {
    const [across, right, down] = planes[k];
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const i = Math.floor((event.clientX - box.left) / box.width * sizes[right]);
      const j = Math.floor((event.clientY - box.top) / box.height * sizes[down]);
      at[right] = Math.max(0, Math.min(i, sizes[right] - 1));
      at[down] = down === 2 ? sizes[2] - 1 - j : j;
      draw();
    });
    const move = (to) => {
      at[across] = Math.max(0, Math.min(to, sizes[across] - 1));
      draw();
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      move(at[across] + Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      move(at[across] + by);
    });
    sliders[k].addEventListener("input", () => move(Number(sliders[k].value)));
  });
  for (const control of [opacity, contour, outlined, found]) control?.addEventListener("input", draw);
  threshold.addEventListener("input", () => { step(); draw(); });
  base.addEventListener("input", show);
  chosen?.addEventListener("input", turn);
  flicker?.addEventListener("click", () => {
    const on = flicker.getAttribute("aria-pressed") !== "true";
    flicker.setAttribute("aria-pressed", on);
    clearInterval(timer);
    if (!on) return show();
    const another = Object.keys(about.pictures).find((name) => name !== "scan");
    const other = map.picture ?? (base.value === "scan" ? another : base.value);
    let first = true;
    timer = setInterval(async () => {
      first = !first;
      grey = await volume(about.pictures[first ? "scan" : other].url);
      draw();
    }, 600);
  });
  for (const button of document.querySelectorAll("button[data-at]"))
    button.addEventListener("click", () => {
      at.splice(0, 3, ...JSON.parse(button.dataset.at));
      draw();
      document.querySelector(".planes").scrollIntoView({ block: "nearest" });
    });
  const bar = $("colours").getContext("2d");
  for (let x = 0; x < 160; x++) {
    bar.fillStyle = `rgb(${coloured(0, 255 * x / 159, 1)})`;
    bar.fillRect(x, 0, 1, 10);
  }
  await turn();
  document.body.dataset.ready = "1";  // for tests: all is drawn
})();
