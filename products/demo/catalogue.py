"""What the demo shop sells: eight shelves. `pictures/` holds a picture of each item."""

from typing import NamedTuple


class Item(NamedTuple):
    """One product. Its price is in euros; shape and palette name its picture."""

    name: str
    sku: str
    price: str
    stock: int
    shape: str
    palette: str
    description: str


class Shelf(NamedTuple):
    """One category and what stands on it, the newest first."""

    name: str
    slug: str
    description: str
    items: tuple[Item, ...]


TABLE = Shelf(
    "Tableware",
    "tableware",
    "Stoneware thrown and glazed in small batches, made to be used every day and to"
    " survive the dishwasher.",
    (
        Item(
            *("Harbour Mug", "TW-TB-101", "18.00", 240, "mug", "chalk"),
            "A generous mug with a bare clay foot that stays cool in the hand. Speckled"
            " stoneware, 350 ml, safe in dishwasher and microwave.",
        ),
        Item(
            *("Low Tide Espresso Cup", "TW-TB-102", "22.00", 96, "espresso_cup"),
            "tide",
            "Eighty millilitres of strong coffee, and a saucer wide enough for two"
            " biscuits. The glaze breaks to a lighter blue at the rim.",
        ),
        Item(
            *("Meadow Serving Bowl", "TW-TB-103", "42.00", 38, "bowl", "moss"),
            "The bowl that ends up in the middle of the table. 28 cm across, glazed"
            " inside and out, with a foot ring left raw so that it does not slip.",
        ),
        Item(
            *("Linen Dinner Plates, set of 4", "TW-TB-104", "68.00", 54, "plates"),
            "oat",
            "Four plates in two quiet tones that stack flat. 27 cm, oven safe to"
            " 180 °C, glazed to the edge so that cutlery makes no sound.",
        ),
        Item(
            *("Morning Pitcher", "TW-TB-105", "36.00", 3, "pitcher", "sage"),
            "For milk, water or a handful of tulips. Holds 1.2 litres and pours without"
            " a drip; dipped by hand, so the line is never quite the same.",
        ),
        Item(
            *("Ember Teapot", "TW-TB-106", "64.00", 17, "teapot", "clay"),
            "Tea for four under a looped handle. The strainer is pierced into the body,"
            " and the lid stays on when you pour. 1.1 litres.",
        ),
        Item(
            *("Dairy Butter Dish", "TW-TB-107", "29.00", 61, "butter_dish", "sky"),
            "Keeps half a pound of butter soft and clean. A heavy lid, a flat plate,"
            " and nothing to catch crumbs.",
        ),
        Item(
            *("Sunday Cake Stand", "TW-TB-108", "58.00", 0, "cake_stand", "blush"),
            "Thirty centimetres of occasion. One piece, so it does not wobble, and low"
            " enough to fit the fridge with a cake on it.",
        ),
        Item(
            *("Cellar Salt Pig", "TW-TB-109", "24.00", 45, "salt_pig", "ink"),
            "An open mouth for a cook's hand, turned away from the steam. Unglazed"
            " inside to keep salt dry; comes with an ash spoon.",
        ),
        Item(
            *("Egg Cups, pair", "TW-TB-110", "16.00", 128, "egg_cups", "mustard"),
            "Two cups for soft-boiled mornings, in mustard and cream. Deep enough that"
            " the egg stands straight.",
        ),
        Item(
            *("Nesting Beakers, set of 3", "TW-TB-111", "34.00", 72, "beakers"),
            "slate",
            "Three sizes, three greys, one inside the other on the shelf. For water,"
            " wine, pencils or toothbrushes.",
        ),
        Item(
            *("Rose Sugar Bowl", "TW-TB-112", "26.00", 5, "sugar_bowl", "rose"),
            "A round little bowl with a notch for the spoon that comes with it. Dusty"
            " rose outside, white within.",
        ),
    ),
)

GLASS = Shelf(
    "Glass",
    "glass",
    "Mouth-blown from recycled glass: no two pieces quite alike, all of them clear"
    " about what they hold.",
    (
        Item(
            *("Pebble Tumblers, set of 4", "TW-GL-201", "38.00", 180, "tumblers"),
            "lagoon",
            "Heavy-bottomed tumblers that sit in the palm like a pebble. 250 ml each,"
            " blown from recycled bottles.",
        ),
        Item(
            *("Spring Carafe", "TW-GL-202", "32.00", 64, "carafe", "clear"),
            "A litre of cold water with an oak stopper. The neck is wide enough for ice"
            " and for a bottle brush.",
        ),
        Item(
            *("Vineyard Glasses, pair", "TW-GL-203", "44.00", 41, "wine_glasses"),
            "clear",
            "One shape for red and white. Thin at the lip, drawn from a single gather"
            " of glass, and made to survive a washing-up.",
        ),
        Item(
            *("Library Decanter", "TW-GL-204", "72.00", 12, "decanter", "amber"),
            "For whisky, or for the look of it. Amber glass, a ground stopper, 750 ml.",
        ),
        Item(
            *("Single Stem Vase", "TW-GL-205", "19.00", 2, "bud_vase", "petal"),
            "One flower is enough. A small round vase with a neck that holds a stem"
            " upright, blown in the colour of a petal.",
        ),
        Item(
            *("Pantry Jars, set of 3", "TW-GL-206", "46.00", 110, "storage_jars"),
            "clear",
            "Borosilicate jars with acacia lids that close with a soft click. Half a"
            " litre, one and two.",
        ),
        Item(
            *("Olive Oil Bottle", "TW-GL-207", "24.00", 87, "oil_bottle", "bottle"),
            "Dark glass keeps light from the oil; the steel pourer stops it with a turn"
            " of the wrist. 500 ml.",
        ),
        Item(
            *("Orchard Juice Jug", "TW-GL-208", "34.00", 0, "juice_jug", "petal"),
            "A jug with a pulled handle and a pinched lip. 1.5 litres, room for mint"
            " and lemon.",
        ),
        Item(
            *("Bubble Candlesticks, pair", "TW-GL-209", "27.00", 150),
            *("candle_holder_glass", "lagoon"),
            "Two stacks of glass bubbles that turn two candles into an evening. For"
            " 22 mm candles, which are not included.",
        ),
        Item(
            *("Cloche with Oak Base", "TW-GL-210", "54.00", 9, "bell_jar", "clear"),
            "For cheese, for a cake, for a stone from the beach. 22 cm of clear glass"
            " over an oiled oak plate.",
        ),
        Item(
            *("Trail Water Bottle", "TW-GL-211", "28.00", 210, "water_bottle"),
            "smoke",
            "Glass that may fall: a silicone sleeve takes the knocks, a bamboo lid"
            " keeps it tight. 600 ml, no taste of anything.",
        ),
    ),
)

KITCHEN = Shelf(
    "Kitchen",
    "kitchen",
    "Tools that do one thing well, can be sharpened, oiled and repaired, and look"
    " better with every year.",
    (
        Item(
            *("Forge Frying Pan", "TW-KI-301", "89.00", 33, "frying_pan", "iron"),
            "Hand-forged carbon steel, 28 cm. Seasoned with linseed oil, so the first"
            " egg already slides. Every hob, and the camp fire.",
        ),
        Item(
            *("Copper Saucepan", "TW-KI-302", "129.00", 14, "saucepan", "copper"),
            "Two millimetres of copper over steel: it answers the flame at once. 1.8"
            " litres, with a cast handle that stays cool.",
        ),
        Item(
            *("End-Grain Board", "TW-KI-303", "78.00", 26, "chopping_board", "oak"),
            "Oak blocks set on end, kind to knives and closing over their cuts."
            " 40 × 28 cm, with a groove for juice.",
        ),
        Item(
            *("Cook's Knife 20 cm", "TW-KI-304", "115.00", 4, "knife", "walnut"),
            "One good knife. A thin carbon-steel blade that takes an edge in a minute,"
            " balanced at the walnut handle.",
        ),
        Item(
            *("Balloon Whisk", "TW-KI-305", "21.00", 95, "whisk", "steel"),
            "Eleven springy wires and a handle that fills the hand. Cream in two"
            " minutes, mayonnaise without fear.",
        ),
        Item(
            *("Baker's Rolling Pin", "TW-KI-306", "27.00", 70, "rolling_pin", "ash"),
            "A heavy length of ash on steel bearings, 45 cm with its handles: it rolls,"
            " you steer. Oiled, not varnished.",
        ),
        Item(
            *("Turned Pepper Mill", "TW-KI-307", "48.00", 0, "pepper_mill", "walnut"),
            "A steel grinder inside a walnut body, adjustable from dust to gravel."
            " 22 cm, filled with Kampot pepper.",
        ),
        Item(
            *("Enamel Colander", "TW-KI-308", "31.00", 58, "colander", "butter"),
            "Stands on its own ring in the sink and looks good with tomatoes in it the"
            " rest of the week. Enamelled steel, 24 cm.",
        ),
        Item(
            *("Grocer's Scale", "TW-KI-309", "65.00", 19, "kitchen_scale", "sage"),
            "A mechanical scale with a dial you can read across the room. To 5 kg in"
            " steps of 20 g, no battery.",
        ),
        Item(
            *("Moka Pot, 3 cups", "TW-KI-310", "39.00", 84, "moka_pot", "steel"),
            "Eight sides, one valve, and a sound that gets people out of bed. Cast"
            " aluminium with a beech handle.",
        ),
        Item(
            *("Workshop Apron", "TW-KI-311", "49.00", 47, "apron", "ink"),
            "Heavy washed canvas, crossed at the back so nothing hangs from the neck."
            " Two pockets and a loop for the towel.",
        ),
    ),
)

LIGHT = Shelf(
    "Lighting",
    "lighting",
    "Lamps for evenings: warm, dimmable, and made of things that may be seen by day.",
    (
        Item(
            *("Dune Table Lamp", "TW-LI-401", "98.00", 22, "table_lamp", "clay"),
            "A turned clay foot under a linen shade. Gives a pool of light to read in"
            " and leaves the corners to themselves. E27, dimmer on the cord.",
        ),
        Item(
            *("Bell Pendant", "TW-LI-402", "124.00", 31, "pendant", "mustard"),
            "Spun aluminium, white within, hung low over the table. Two metres of"
            " textile cord. 38 cm.",
        ),
        Item(
            *("Heron Floor Lamp", "TW-LI-403", "189.00", 8, "floor_lamp", "brass"),
            "A slender brass stem that leans in over your chair. The shade turns, the"
            " base stays: eight kilos of iron.",
        ),
        Item(
            *("Mushroom Lamp", "TW-LI-404", "76.00", 1, "mushroom_lamp", "chalk"),
            "One piece of opal glass that glows all over. Small enough for a bedside,"
            " bright enough to find your glasses.",
        ),
        Item(
            *("Hallway Sconce", "TW-LI-405", "82.00", 27, "wall_sconce", "brass"),
            "Throws light up and down a wall and none into your eyes. Brushed brass,"
            " wired or with a plug.",
        ),
        Item(
            *("Draughtsman Lamp", "TW-LI-406", "112.00", 40, "desk_lamp", "tide"),
            "Three joints, two springs, and it stays where you put it. Clamp and foot"
            " both included.",
        ),
        Item(
            *("Paper Moon Lantern", "TW-LI-407", "34.00", 160, "paper_lantern"),
            "chalk",
            "Mulberry paper over bamboo ribs. Folds flat, weighs nothing, and makes a"
            " room softer. 45 cm.",
        ),
        Item(
            *("Beeswax Candles, set of 3", "TW-LI-408", "26.00", 300, "candle_trio"),
            "butter",
            "Poured from one village's beeswax, with cotton wicks. They burn for forty"
            " hours and smell of a warm attic.",
        ),
        Item(
            *("Garden String Lights", "TW-LI-409", "45.00", 66, "string_lights"),
            "amber",
            "Ten metres, twenty warm bulbs that can be changed one by one. For the"
            " balcony, winter included (IP44).",
        ),
        Item(
            *("Storm Lantern", "TW-LI-410", "52.00", 0, "lantern", "iron"),
            "Keeps a flame alive in a gale. Galvanised steel and a glass chimney that"
            " lifts with one finger.",
        ),
        Item(
            *("Globe Lamp", "TW-LI-411", "88.00", 35, "globe_lamp", "oak"),
            "A sphere of frosted glass resting in an oak ring. Touch the wood to dim"
            " it. USB-C, twelve hours from a charge.",
        ),
    ),
)

TEXTILES = Shelf(
    "Textiles",
    "textiles",
    "Linen, wool and organic cotton, washed before they reach you and softer with"
    " each wash after.",
    (
        Item(
            *("Shepherd Throw", "TW-TX-501", "119.00", 44, "throw_blanket", "oat"),
            "Undyed wool from two flocks, woven in a herringbone. 140 × 200 cm, warm"
            " without weight. Air it, and it hardly ever needs washing.",
        ),
        Item(
            *("Corduroy Cushion", "TW-TX-502", "46.00", 90, "cushion", "rust"),
            "Wide-wale cotton corduroy with a feather filling that can be shaken back"
            " into shape. 50 × 50 cm, the cover comes off.",
        ),
        Item(
            *("Linen Napkins, set of 4", "TW-TX-503", "36.00", 140, "linen_napkins"),
            "sage",
            "European linen with mitred corners. They crease, and that is how they look"
            " best. 45 cm square.",
        ),
        Item(
            *("Dune Rug", "TW-TX-504", "245.00", 6, "rug", "blush"),
            "Hand-knotted wool in the colours of a beach at six in the evening."
            " 140 × 200 cm.",
        ),
        Item(
            *("Tea Towels, pair", "TW-TX-505", "22.00", 200, "tea_towel", "tide"),
            "Half linen, half cotton: one drinks, the other polishes. With a loop that"
            " does not tear out.",
        ),
        Item(
            *("Washed Bed Linen", "TW-TX-506", "168.00", 25, "bed_linen", "chalk"),
            "Stone-washed linen that is cool in July and warm in January. Duvet cover"
            " and two pillowcases, with wooden buttons.",
        ),
        Item(
            *("Market Tote", "TW-TX-507", "32.00", 175, "tote_bag", "ink"),
            "Carries fifteen kilos of potatoes and folds into its own pocket. Heavy"
            " organic canvas.",
        ),
        Item(
            *("Fringed Table Runner", "TW-TX-508", "42.00", 3, "table_runner"),
            "mustard",
            "Two and a half metres of slub linen with a knotted fringe. Runs over the"
            " table's edge, as a runner should.",
        ),
        Item(
            *("Wool House Socks", "TW-TX-509", "24.00", 0, "wool_socks", "rose"),
            "Knitted thick on an old machine, with a ribbed leg that stays up. For"
            " tiled floors and cold mornings.",
        ),
        Item(
            *("Sheer Linen Curtain", "TW-TX-510", "79.00", 52, "curtain", "chalk"),
            "Lets the light in and the neighbours out. 140 × 260 cm, to be hemmed as"
            " you like it.",
        ),
        Item(
            *("Waffle Bath Robe", "TW-TX-511", "94.00", 37, "bath_robe", "sky"),
            "Light cotton waffle that dries before your hair does. Two deep pockets, a"
            " collar, sizes S to XL.",
        ),
    ),
)

BATH = Shelf(
    "Bath",
    "bath",
    "For the first quarter of an hour of the day, and the last.",
    (
        Item(
            *("Ribbed Towels, set of 3", "TW-BA-601", "58.00", 120, "towel_stack"),
            "sage",
            "Long-staple cotton, ribbed to dry fast. A bath towel, a hand towel and a"
            " face cloth that match and stay so.",
        ),
        Item(
            *("Sea Salt Soap", "TW-BA-602", "9.50", 400, "soap_bar", "lagoon"),
            "Cold-pressed olive oil, sea salt, rosemary. Cures for six weeks, lasts for"
            " eight.",
        ),
        Item(
            *("Refill Soap Dispenser", "TW-BA-603", "27.00", 77, "soap_dispenser"),
            "amber",
            "Amber glass with a steel pump that can be taken apart. Buy it once, refill"
            " it for ever.",
        ),
        Item(
            *("Woven Bath Mat", "TW-BA-604", "49.00", 29, "bath_mat", "tide"),
            "Thick cotton, woven in checks that hold a lake and let it go again."
            " 80 × 50 cm, washes at sixty degrees.",
        ),
        Item(
            *("Toothbrush Cup", "TW-BA-605", "17.00", 88, "toothbrush_cup", "tide"),
            "A stoneware cup with a hole in its foot, so that nothing stands in water.",
        ),
        Item(
            *("Hand Mirror", "TW-BA-606", "38.00", 5, "hand_mirror", "walnut"),
            "Bevelled glass in walnut, one side true, the other three times so. Hangs"
            " from a leather loop.",
        ),
        Item(
            *("Long Back Brush", "TW-BA-607", "23.00", 63, "back_brush", "ash"),
            "Tampico bristles on a handle that reaches. The head comes off for a dry"
            " brush.",
        ),
        Item(
            *("Bath Reading Tray", "TW-BA-608", "62.00", 0, "bath_tray", "oak"),
            "A bridge over the water for a book, a candle and a cup. Slides out to"
            " 85 cm, oiled oak.",
        ),
        Item(
            *("Rattan Laundry Basket", "TW-BA-609", "86.00", 18, "laundry_basket"),
            "ash",
            "Woven by hand with a lid that stays open. The cotton lining lifts out and"
            " goes to the machine with what is in it.",
        ),
        Item(
            *("Natural Sponge", "TW-BA-610", "19.00", 105, "sponge", "butter"),
            "Cut by divers so that it grows again. Holds a bowl of water and gives it"
            " back slowly.",
        ),
        Item(
            *("Three-Peg Rail", "TW-BA-611", "39.00", 140, "wall_hook", "walnut"),
            "A walnut rail with three turned pegs, for a towel, a brush and whatever"
            " else used to lie on the floor. Screws included.",
        ),
    ),
)

DESK = Shelf(
    "Desk & Study",
    "desk",
    "Paper, brass and wood, and a few machines that behave.",
    (
        Item(
            *("Stitched Notebook", "TW-DE-701", "19.00", 260, "notebook", "tide"),
            "Lies flat on any page. 192 pages of cream paper that takes fountain pens,"
            " numbered, with a ribbon.",
        ),
        Item(
            *("Pencil Pot", "TW-DE-702", "24.00", 92, "pencil_pot", "clay"),
            "Comes with six cedar pencils, which makes it the most useful vase in the"
            " house.",
        ),
        Item(
            *("Piston Fountain Pen", "TW-DE-703", "74.00", 16, "fountain_pen", "ink"),
            "Fills from the bottle, writes for a month. A steel nib that forgives, in"
            " fine or medium.",
        ),
        Item(
            *("Quiet Desk Clock", "TW-DE-704", "59.00", 4, "desk_clock", "chalk"),
            "A sweeping hand and no tick at all. The alarm starts low and does not stay"
            " there.",
        ),
        Item(
            *("Stacking Desk Tray", "TW-DE-705", "44.00", 71, "desk_tray", "oak"),
            "Two trays: what has come, and what must go. Oak, finger-jointed corners.",
        ),
        Item(
            *("Cast Tape Dispenser", "TW-DE-706", "36.00", 48, "tape_dispenser"),
            "moss",
            "Heavy enough for one hand. Cast iron, enamelled, with a blade that"
            " actually cuts.",
        ),
        Item(
            *("Arch Bookends, pair", "TW-DE-707", "52.00", 33, "bookends", "slate"),
            "Two arches of poured concrete that hold a shelf of atlases. Cork below.",
        ),
        Item(
            *("Closed-Back Headphones", "TW-DE-708", "229.00", 13, "headphones"),
            "charcoal",
            "Thirty hours of other people not talking. Every part can be replaced with"
            " one screwdriver, the battery included.",
        ),
        Item(
            *("Kitchen Table Radio", "TW-DE-709", "179.00", 0, "radio", "walnut"),
            "FM, DAB+ and Bluetooth behind one big dial. A walnut case tuned like an"
            " instrument.",
        ),
        Item(
            *("River Paperweight", "TW-DE-710", "21.00", 55, "paperweight", "lagoon"),
            "A drop of solid glass with a bubble that was not planned. Keeps letters"
            " down and hands busy.",
        ),
        Item(
            *("Roll-Top Backpack", "TW-DE-711", "139.00", 42, "backpack", "mustard"),
            "Waxed canvas, a padded place for a laptop, and a top that rolls down over"
            " whatever you bought. 22 litres.",
        ),
    ),
)

GARDEN = Shelf(
    "Plants & Garden",
    "garden",
    "Living things and what keeps them so, for sills, balconies and beds.",
    (
        Item(
            *("Monstera in Clay", "TW-GA-801", "48.00", 21, "potted_monstera", "leaf"),
            "A young deliciosa with its first split leaves, in a hand-thrown pot."
            " Light, but no sun; water when the top is dry.",
        ),
        Item(
            *("Succulent Bowl", "TW-GA-802", "26.00", 83, "succulent_pot"),
            "succulent",
            "Three plants that ask for very little. Comes planted in grit, with a note"
            " that says so.",
        ),
        Item(
            *("Long-Spout Watering Can", "TW-GA-803", "54.00", 36, "watering_can"),
            "sage",
            "Reaches the back row without a drop on the floor. Powder-coated steel, 1.5"
            " litres, brass rose.",
        ),
        Item(
            *("Ash-Handled Trowel", "TW-GA-804", "29.00", 118, "trowel", "ash"),
            "Forged from one bar, so it does not bend in clay. The handle is turned"
            " for a gloved hand.",
        ),
        Item(
            *("Plant Stand", "TW-GA-805", "69.00", 2, "plant_stand", "oak"),
            "Lifts a big pot into the light. Three oak legs that take 25 kg and come"
            " apart for the move.",
        ),
        Item(
            *("Hanging Planter", "TW-GA-806", "37.00", 59, "hanging_planter", "chalk"),
            "Stoneware on three cotton ropes, for whatever likes to trail. 20 cm, with"
            " a hidden saucer.",
        ),
        Item(
            *("Window Herb Box", "TW-GA-807", "42.00", 0, "herb_box", "fern"),
            "Basil, thyme and chives in a zinc-lined cedar box that fits a kitchen"
            " sill.",
        ),
        Item(
            *("Bypass Secateurs", "TW-GA-808", "58.00", 67, "secateurs", "rust"),
            "Clean cuts to 20 mm, and every part can be had again. Forged steel, a"
            " catch for either hand.",
        ),
        Item(
            *("Terracotta Pots, set of 3", "TW-GA-809", "33.00", 145),
            *("terracotta_pots", "clay"),
            "Frost-proof terracotta from Impruneta, with saucers. They grow a white"
            " bloom, as they should.",
        ),
        Item(
            *("Leather Garden Gloves", "TW-GA-810", "34.00", 76, "garden_gloves"),
            "oat",
            "Goatskin that feels a seed and stops a rose. Wash them, pull them into"
            " shape, wear them wet. Sizes 7 to 10.",
        ),
        Item(
            *("Cedar Bird Feeder", "TW-GA-811", "46.00", 24, "bird_feeder", "walnut"),
            "A roof, two windows and a landing board. Opens at the top, cleans in a"
            " minute, and is booked out by February.",
        ),
    ),
)

SHELVES = (TABLE, GLASS, KITCHEN, LIGHT, TEXTILES, BATH, DESK, GARDEN)
