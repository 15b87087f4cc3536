//! The map of the layers in ARCHITECTURE.md: a table with a row for each, the top one first, whose second
//! column has the names of its rooms.

pub struct Layers(Vec<Vec<String>>);

impl Layers {
    /// # Panics
    /// When the page has no such table.
    pub fn read(page: &str) -> Self {
        let (_, section) = page
            .split_once("\n## Layers\n")
            .or_else(|| page.split_once("## Layers\n"))
            .expect("it has the map");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
        let rooms = |row: &str| {
            let column = row.split('|').nth(2).unwrap_or_default();
            column.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        Self(rows.map(rooms).collect())
    }

    pub fn rooms(&self) -> Vec<String> {
        self.0.iter().flatten().cloned().collect()
    }

    pub fn is_room(&self, name: &str) -> bool {
        self.at(name).is_some()
    }

    /// Whether a room is in a lower layer than another.
    pub fn is_below(&self, room: &str, other: &str) -> bool {
        self.at(room) > self.at(other)
    }

    fn at(&self, room: &str) -> Option<usize> {
        self.0.iter().position(|rooms| rooms.iter().any(|name| name == room))
    }
}
